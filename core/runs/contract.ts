import { z } from "zod";

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
