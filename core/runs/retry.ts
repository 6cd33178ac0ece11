import type { RetryPolicy } from "../agents/spec.ts";

/**
 * How long until the next attempt: full jitter, `random × min(cap, base grown by the policy)`, and
 * never sooner than the far side asked for.
 *
 * @param failures      Failed attempts so far, this one included; 1 or more.
 * @param retryAfterMs  The far side's `Retry-After`, if it sent one; bounded by the cap.
 * @param random        0 ≤ x < 1.
 * @returns             Whole ms, at least 1.
 */
export function retryDelayMs(
  policy: RetryPolicy,
  failures: number,
  retryAfterMs: number | undefined,
  random: number,
): number {
  const grown = {
    fixed: policy.base_ms,
    linear: policy.base_ms * failures,
    exponential: policy.base_ms * 2 ** Math.min(failures - 1, 40),
  }[policy.policy];
  const jittered = Math.floor(random * Math.min(policy.cap_ms, grown));
  const asked = Math.min(retryAfterMs ?? 0, policy.cap_ms);
  return Math.max(1, jittered, asked);
}
