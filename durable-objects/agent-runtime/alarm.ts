import { MAX_RUNNING } from "./accept.ts";
import { nextDueMs } from "./claim.ts";
import { DELTA_RETENTION_MS } from "./events.ts";
import type { Kernel } from "./kernel.ts";

/**
 * The net under everything that is started in place: while something is open the alarm comes at
 * least this often. It also keeps the object alive through a long model call, which alone would
 * not (GUARANTEES row 12).
 */
export const BEAT_MS = 30_000;

/**
 * A2: when the alarm must come, or undefined while nothing is due.
 *
 * An earlier alarm that is already set serves as well, so a busy object writes one per beat and
 * not one per invocation.
 */
export function alarmDueMs(kernel: Kernel, nowMs: number): number | undefined {
  const times: number[] = [];
  if (kernel.running.size > 0 || hasOutbox(kernel)) times.push(nowMs + BEAT_MS);
  // At capacity nothing could be taken up: the run that ends next arms again.
  const due = kernel.running.size < MAX_RUNNING ? nextDueMs(kernel) : undefined;
  if (due !== undefined) times.push(due);
  const deltas = kernel.sql.one<{ ended: number | null }>(
    "SELECT min(completed_ms) AS ended FROM invocation WHERE deltas = 1",
  );
  if (deltas?.ended != null) times.push(deltas.ended + DELTA_RETENTION_MS);
  return times.length === 0 ? undefined : Math.min(...times);
}

/**
 * A time the runtime will not swallow (E5): whole, and later than now and than the alarm that is
 * running.
 */
export function safeAlarmMs(dueMs: number, nowMs: number, scheduledMs: number): number {
  return Math.max(Math.ceil(dueMs), nowMs + 1, scheduledMs + 1);
}

/** Entries the control plane has not acknowledged. */
export function hasOutbox(kernel: Kernel): boolean {
  return kernel.sql.one("SELECT 1 FROM outbox LIMIT 1") !== undefined;
}
