import { MAX_RUNNING } from "./accept.ts";
import { DELTA_RETENTION_MS } from "./events.ts";
import type { Kernel } from "./kernel.ts";

/**
 * The net under everything that is started in place: while something is open the alarm comes at
 * least this often, so that a killed run goes on within seconds without anybody calling. It also
 * keeps the object alive through a long model call, which alone would not.
 */
export const BEAT_MS = 5000;

/** What an object has before it beside the runs that are under way. */
type Ahead = {
  /** Entries the control plane has not acknowledged: 0 or 1. */
  readonly owed: number;
  /** When the next invocation that was put off or waits is due. */
  readonly due: number | null;
  /** When the first ended of those invocations that still have deltas. */
  readonly ended: number | null;
};

/** One statement, asked wherever the alarm is decided. */
function ahead(kernel: Kernel): Ahead {
  const row = kernel.sql.one<Ahead>(
    `SELECT EXISTS (SELECT 1 FROM invocation WHERE pending = 2)
         OR EXISTS (SELECT 1 FROM approval WHERE owed IS NOT NULL) AS owed,
       (SELECT min(due_ms) FROM invocation WHERE pending = 1 AND status IN ('accepted', 'waiting')) AS due,
       (SELECT min(completed_ms) FROM invocation WHERE deltas = 1) AS ended`,
  );
  return row ?? { owed: 0, due: null, ended: null };
}

/**
 * A2: when the alarm must come, or undefined while nothing is due.
 *
 * An earlier alarm that is already set serves as well, so a busy object writes one per beat and
 * not one per invocation.
 */
export function alarmDueMs(kernel: Kernel, nowMs: number): number | undefined {
  const { owed, due, ended } = ahead(kernel);
  const times: number[] = [];
  if (kernel.running.size > 0 || owed === 1) times.push(nowMs + BEAT_MS);
  // At capacity nothing could be taken up: the run that ends next arms again.
  const takes = kernel.running.size < MAX_RUNNING && !kernel.intake.shut;
  if (due !== null && takes) times.push(due);
  const checkMs = kernel.health.nextMs(nowMs);
  if (checkMs !== undefined) times.push(checkMs);
  if (ended !== null) times.push(ended + DELTA_RETENTION_MS);
  const retainedMs = kernel.retained.dueMs(nowMs);
  if (retainedMs !== undefined) times.push(retainedMs);
  const probeMs = kernel.breakers.nextMs(nowMs);
  if (probeMs !== undefined) times.push(probeMs);
  return times.length === 0 ? undefined : Math.min(...times);
}

/** Has the control plane something to acknowledge? */
export function hasOutbox(kernel: Kernel): boolean {
  return ahead(kernel).owed === 1;
}

/**
 * A time the runtime will not swallow (E5): whole, and later than now and than the alarm that is
 * running.
 */
export function safeAlarmMs(dueMs: number, nowMs: number, scheduledMs: number): number {
  return Math.max(Math.ceil(dueMs), nowMs + 1, scheduledMs + 1);
}
