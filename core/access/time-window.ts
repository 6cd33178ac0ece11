import type { TimeWindow, Weekday } from "../principals/grants.ts";

const DAYS: readonly Weekday[] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const DAY_MINUTES = 1440;

/** Formatters by zone; there are a few hundred zones in the world. */
const clocks = new Map<string, Intl.DateTimeFormat>();

/** True for a name the runtime's time zone data has. */
export function knownZone(zone: string): boolean {
  try {
    return clockOf(zone) !== undefined;
  } catch {
    return false;
  }
}

/** Is `nowMs` inside the window? Pure. */
export function within(window: TimeWindow, nowMs: number): boolean {
  const { not_before, not_after, days, from, to, zone = "UTC" } = window;
  if (not_before !== undefined && nowMs < Date.parse(not_before)) return false;
  if (not_after !== undefined && nowMs >= Date.parse(not_after)) return false;
  if (days === undefined && from === undefined) return true;
  const { day, minute } = localTime(zone, nowMs);
  const start = minutesOf(from ?? "00:00");
  const end = to === undefined ? DAY_MINUTES : minutesOf(to);
  const listed = (index: number) => days === undefined || days.includes(DAYS[index] ?? "sun");
  if (start < end) return listed(day) && minute >= start && minute < end;
  // Past midnight: the evening of a listed day, or the morning after one.
  if (minute >= start) return listed(day);
  return minute < end && listed((day + 6) % 7);
}

/** Day of the week (0 is Sunday) and minute of the day, as clocks in `zone` show them. */
function localTime(zone: string, nowMs: number): { readonly day: number; readonly minute: number } {
  const parts = new Map(
    clockOf(zone)
      .formatToParts(nowMs)
      .map(({ type, value }) => [type, value]),
  );
  const day = DAYS.findIndex((name) => name === parts.get("weekday")?.toLowerCase());
  return { day, minute: Number(parts.get("hour")) * 60 + Number(parts.get("minute")) };
}

function clockOf(zone: string): Intl.DateTimeFormat {
  let clock = clocks.get(zone);
  if (clock === undefined) {
    clock = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      weekday: "short",
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
    });
    clocks.set(zone, clock);
  }
  return clock;
}

function minutesOf(clock: string): number {
  const [hours = 0, minutes = 0] = clock.split(":").map(Number);
  return hours * 60 + minutes;
}
