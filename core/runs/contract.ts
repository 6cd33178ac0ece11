import { z } from "zod";

/** What a retry may mend; every other failure is final at once. */
export const RetryableError = z.enum([
  "timeout",
  "rate_limited",
  "server_error",
  "unreachable",
  "broken_answer",
]);
export type RetryableError = z.infer<typeof RetryableError>;

/** How long until the next attempt: `base_ms` grown by the policy, never above `cap_ms`. */
const backoff = {
  policy: z.enum(["exponential", "linear", "fixed"]).default("exponential"),
  base_ms: z.number().int().min(1).max(3_600_000).default(500),
  cap_ms: z.number().int().min(1).max(86_400_000).default(60_000),
  /** How much of that is left to chance: all of it, its upper half, or nothing. Absent: `full`. */
  jitter: z.enum(["full", "equal", "none"]).optional(),
};

/** How a failed run is tried again. */
export const RetryPolicy = z.strictObject({
  ...backoff,
  attempts: z.number().int().min(1).max(20).default(3),
  /** Absent: all of them. */
  on: z.array(RetryableError).max(5).optional(),
  /** Counted from when the invocation was accepted: later no attempt begins. Absent: a day. */
  max_ms: z
    .number()
    .int()
    .min(1)
    .max(30 * 86_400_000)
    .optional(),
});
export type RetryPolicy = z.infer<typeof RetryPolicy>;

/** How one call of a tool is tried again, within its run and under the same `Idempotency-Key`. */
export const ToolRetry = z.strictObject({
  ...backoff,
  attempts: z.number().int().min(1).max(20).default(3),
});
export type ToolRetry = z.infer<typeof ToolRetry>;

/** What decides about a wait. */
export type Backoff = Pick<RetryPolicy, "policy" | "base_ms" | "cap_ms" | "jitter">;

/**
 * When calls to an upstream stop for a while: after `failures` in a row. Then one call at a time is
 * let through to see whether it is back: the first after `open_ms`, each further one after twice as
 * long, never above `cap_ms`.
 */
export const BreakerPolicy = z.strictObject({
  failures: z.number().int().min(1).max(1000).default(5),
  open_ms: z.number().int().min(1).max(3_600_000).default(10_000),
  cap_ms: z.number().int().min(1).max(86_400_000).default(300_000),
});
export type BreakerPolicy = z.infer<typeof BreakerPolicy>;

/** An upstream that is left alone now. */
export const OpenBreaker = z.object({
  /** `model/SLUG`, `tool/ORIGIN`, … */
  upstream: z.string(),
  /** Failures in a row. */
  failures: z.number().int(),
  probe_at: z.string(),
  /** Runs that wait for it. */
  parked: z.number().int(),
});
export type OpenBreaker = z.infer<typeof OpenBreaker>;
