import type { Backoff, RetryableError, RetryPolicy } from "./contract.ts";

const DAY_MS = 86_400_000;

/**
 * How long until the next attempt: `base_ms` grown by the policy up to the cap, of which chance
 * takes what `jitter` leaves to it, and never sooner than the far side asked for.
 *
 * @param failures      Failed attempts so far, this one included; 1 or more.
 * @param retryAfterMs  The far side's `Retry-After`, if it sent one; bounded by the cap.
 * @param random        0 ≤ x < 1.
 * @returns             Whole ms, at least 1.
 */
export function retryDelayMs(
  policy: Backoff,
  failures: number,
  retryAfterMs: number | undefined,
  random: number,
): number {
  const grown = {
    fixed: policy.base_ms,
    linear: policy.base_ms * failures,
    exponential: policy.base_ms * 2 ** Math.min(failures - 1, 40),
  }[policy.policy];
  const wholeMs = Math.min(policy.cap_ms, grown);
  const share = { full: random, equal: 0.5 + random / 2, none: 1 }[policy.jitter ?? "full"];
  const asked = Math.min(retryAfterMs ?? 0, policy.cap_ms);
  return Math.max(1, Math.floor(share * wholeMs), asked);
}

/** Does the policy try again after this? What has no kind was not told apart: it is tried. */
export function retries(
  { on }: Pick<RetryPolicy, "on">,
  kind: RetryableError | undefined,
): boolean {
  return on === undefined || kind === undefined || on.includes(kind);
}

/** Until when an attempt may begin. */
export function lastAttemptMs(
  { max_ms: maxMs = DAY_MS }: Pick<RetryPolicy, "max_ms">,
  acceptedMs: number,
): number {
  return acceptedMs + maxMs;
}
