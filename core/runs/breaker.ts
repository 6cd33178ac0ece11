import type { BreakerPolicy } from "./contract.ts";

/** What is known of one upstream. */
export type Breaker = {
  /** In a row, up to now. */
  readonly failures: number;
  /** How often it opened, or a probe failed, since it was last closed. */
  readonly trips: number;
  /** When the next probe may go; null while it is closed. */
  readonly probeMs: number | null;
};

/** An upstream nothing is known against. */
export const CLOSED: Breaker = { failures: 0, trips: 0, probeMs: null };

/**
 * What is known after one more failure.
 *
 * @param probed        The call that failed was the probe of an open breaker.
 * @param retryAfterMs  The far side's `Retry-After`: the next probe is not before it, up to the cap.
 */
export function afterFailure(
  known: Breaker,
  policy: BreakerPolicy,
  nowMs: number,
  probed: boolean,
  retryAfterMs = 0,
): Breaker {
  const failures = known.failures + 1;
  // What was sent before it opened, and fails now, says nothing new.
  if (known.probeMs !== null && !probed) return known;
  if (known.probeMs === null && failures < policy.failures) return { ...known, failures };
  const grownMs = policy.open_ms * 2 ** Math.min(known.trips, 40);
  const waitMs = Math.min(policy.cap_ms, Math.max(grownMs, retryAfterMs));
  return { failures, trips: known.trips + 1, probeMs: nowMs + waitMs };
}
