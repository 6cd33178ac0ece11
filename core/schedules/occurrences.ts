/**
 * When a cron expression comes true in a time zone.
 *
 * T1  An occurrence is a minute of the zone's wall clock.
 * T2  A minute that is skipped when clocks go forward comes true at the moment they have; all that
 *     were skipped together are one occurrence.
 * T3  A minute that comes twice when clocks go back counts the first time.
 * T4  Where the hour is `*` the expression is an interval: hours are counted as they pass, so nothing
 *     is made up for a skipped hour, and a repeated one counts twice.
 */
import { type Cron, namesDay } from "./cron.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** The 29th of February may be eight years away. */
const DAYS_AHEAD = 8 * 366 + 1;

/** Epoch ms of the first occurrence after `afterMs`; undefined when none comes in eight years. */
export function nextOccurrence(cron: Cron, zone: string, afterMs: number): number | undefined {
  const clock = clockOf(zone);
  // From the day before: what is repeated or skipped at midnight belongs to it.
  const first = startOfDay(afterMs + clock.offsetMs(afterMs)) - DAY_MS;
  for (let i = 0; i < DAYS_AHEAD; i += 1) {
    const found = ofDay(cron, clock, first + i * DAY_MS).find((atMs) => atMs > afterMs);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The first `count` occurrences after `afterMs`. */
export function nextOccurrences(
  cron: Cron,
  zone: string,
  afterMs: number,
  count: number,
): readonly number[] {
  const found: number[] = [];
  let atMs: number | undefined = afterMs;
  while (found.length < count) {
    atMs = nextOccurrence(cron, zone, atMs);
    if (atMs === undefined) break;
    found.push(atMs);
  }
  return found;
}

/** The last `count` occurrences of a span, its ends included; oldest first. */
export function lastOccurrences(
  cron: Cron,
  zone: string,
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
  count: number,
): readonly number[] {
  const clock = clockOf(zone);
  const found = new Set<number>();
  const last = startOfDay(toMs + clock.offsetMs(toMs)) + DAY_MS;
  for (let i = 0; i < DAYS_AHEAD && found.size < count; i += 1) {
    const dayMs = last - i * DAY_MS;
    if (dayMs < fromMs - 3 * DAY_MS) break;
    for (const atMs of ofDay(cron, clock, dayMs)) {
      if (atMs >= fromMs && atMs <= toMs) found.add(atMs);
    }
  }
  return [...found].toSorted((a, b) => a - b).slice(-count);
}

/** Is it a zone of the IANA database that this runtime knows? */
export function isZone(zone: string): boolean {
  try {
    return formatOf(zone) !== undefined;
  } catch {
    return false;
  }
}

/** A zone's clock: how far it is ahead of UTC at a moment. */
type ZoneClock = { offsetMs(atMs: number): number };

/** @param dayMs  Midnight of the day as if its clock showed UTC. */
function ofDay(cron: Cron, clock: ZoneClock, dayMs: number): readonly number[] {
  const date = new Date(dayMs);
  const named = namesDay(cron, date.getUTCMonth() + 1, date.getUTCDate(), date.getUTCDay());
  if (!named) return [];
  const before = clock.offsetMs(dayMs - DAY_MS);
  const after = clock.offsetMs(dayMs + 2 * DAY_MS);
  const found = new Set<number>();
  for (const hour of cron.hours) {
    for (const minute of cron.minutes) {
      const wallMs = dayMs + (hour * 60 + minute) * MINUTE_MS;
      if (before === after) found.add(wallMs - before);
      else for (const atMs of moments(cron, clock, wallMs, [before, after])) found.add(atMs);
    }
  }
  return [...found].toSorted((a, b) => a - b);
}

/** The moments a minute of the wall clock stands for, near a change from one offset to another. */
function moments(
  { elapsing }: Cron,
  clock: ZoneClock,
  wallMs: number,
  [before, after]: readonly [number, number],
): readonly number[] {
  const real = [wallMs - before, wallMs - after]
    .filter((atMs, i) => clock.offsetMs(atMs) === (i === 0 ? before : after))
    .toSorted((a, b) => a - b);
  if (real.length > 0) return elapsing ? real : real.slice(0, 1); // T3, T4
  return elapsing ? [] : [changeBetween(clock, wallMs - after, wallMs - before)]; // T2
}

/** The moment, to the minute, at which the clock is put to another offset. */
function changeBetween(clock: ZoneClock, fromMs: number, toMs: number): number {
  let [low, high] = [Math.min(fromMs, toMs), Math.max(fromMs, toMs)];
  const offset = clock.offsetMs(low);
  while (high - low > MINUTE_MS) {
    const middle = low + Math.floor((high - low) / 2 / MINUTE_MS) * MINUTE_MS;
    if (clock.offsetMs(middle) === offset) low = middle;
    else high = middle;
  }
  return high;
}

function startOfDay(ms: number): number {
  return Math.floor(ms / DAY_MS) * DAY_MS;
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** Made once for each zone: making one costs more than a day's occurrences. */
function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  if (formats.size < 1000) formats.set(zone, format);
  return format;
}

function clockOf(zone: string): ZoneClock {
  const format = formatOf(zone);
  const known = new Map<number, number>();
  return {
    offsetMs(atMs) {
      const before = known.get(atMs);
      if (before !== undefined) return before;
      const parts: Record<string, number> = {};
      for (const { type, value } of format.formatToParts(atMs)) parts[type] = Number(value);
      const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
      const wall = Date.UTC(year, month - 1, day, hour, minute, second);
      const offset = wall - Math.floor(atMs / 1000) * 1000;
      known.set(atMs, offset);
      return offset;
    },
  };
}
