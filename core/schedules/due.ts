import { type Cron, parseCron } from "./cron.ts";
import { MISSED_MOST, type MissedRuns, ON_TIME_MS } from "./contract.ts";
import { lastOccurrences, nextOccurrence, nextOccurrences } from "./occurrences.ts";

/** As much of a schedule as its times follow from. */
export type Timed = {
  readonly cron: string;
  readonly zone: string;
  readonly missed: MissedRuns;
};

/** What to do about a schedule whose time has come. */
export type Due = {
  /** Occurrences to fire, oldest first. */
  readonly fire: readonly number[];
  /** The newest of those that are not made up for; how many there are is not told apart. */
  readonly skipped: number | undefined;
  /** The first occurrence that is still to come; undefined when there is none. */
  readonly nextMs: number | undefined;
};

/** First occurrence after a moment. @throws RangeError for a rule that was never checked */
export function nextOf({ cron, zone }: Omit<Timed, "missed">, afterMs: number): number | undefined {
  return nextOccurrence(checked(cron), zone, afterMs);
}

/** The first `count` occurrences after a moment. */
export function nextOfMany(
  { cron, zone }: Omit<Timed, "missed">,
  afterMs: number,
  count: number,
): readonly number[] {
  return nextOccurrences(checked(cron), zone, afterMs, count);
}

/**
 * Which occurrences from `firstMs` on are fired at `nowMs`. Those that are later than the sweep needs
 * to come are missed; the schedule's own rule says what becomes of them.
 *
 * @param firstMs  The first occurrence that is not dealt with, at or before `nowMs`.
 */
export function dueOf(schedule: Timed, firstMs: number, nowMs: number): Due {
  const { zone, missed } = schedule;
  const cron = checked(schedule.cron);
  // However long nobody came: no more than the newest of them can matter.
  const past = lastOccurrences(cron, zone, { fromMs: firstMs, toMs: nowMs }, MISSED_MOST + 1);
  const { fire, left } = chosen(missed, past, nowMs);
  return { fire, skipped: left.at(-1), nextMs: nextOccurrence(cron, zone, nowMs) };
}

function chosen(missed: MissedRuns, past: readonly number[], nowMs: number) {
  const onTime = past.filter((it) => nowMs - it <= ON_TIME_MS);
  const late = past.filter((it) => nowMs - it > ON_TIME_MS);
  if (missed === "all") {
    const fire = past.slice(-MISSED_MOST);
    return { fire, left: past.slice(0, past.length - fire.length) };
  }
  // One stands for all that were missed; what is on time stands for itself.
  const standIn = missed === "one" && onTime.length === 0 ? late.slice(-1) : [];
  return { fire: [...standIn, ...onTime], left: standIn.length > 0 ? late.slice(0, -1) : late };
}

function checked(text: string): Cron {
  const cron = parseCron(text);
  if (typeof cron === "string") throw new RangeError(cron);
  return cron;
}
