import { rfc3339 } from "../../core/clock.ts";
import type { QueueCounts, QueueEntry } from "../../core/queues/contract.ts";
import { nextSeq, readEvents } from "./events.ts";
import { findInvocation, type InvocationRow } from "./invocations.ts";
import type { Kernel } from "./kernel.ts";
import { cancelRow } from "./settle.ts";
import type { Sql } from "./sql.ts";

/** Most that are cancelled in one transaction. */
const CLEARED_AT_ONCE = 200;

type Open = Pick<
  InvocationRow,
  "id" | "session_id" | "attempt" | "failures" | "due_ms" | "created_ms"
> & { readonly status: QueueEntry["status"] };

/** How many open invocations there are by state. */
export function queueCounts(sql: Sql): QueueCounts {
  const rows = sql.all<{ status: keyof QueueCounts; n: number }>(
    "SELECT status, count(*) AS n FROM invocation WHERE pending = 1 GROUP BY status",
  );
  const counts = { accepted: 0, running: 0, waiting: 0 };
  for (const { status, n } of rows) counts[status] = n;
  return counts;
}

/** Open invocations behind the id `after`, oldest first. */
export function queueEntries(kernel: Kernel, after: string, limit: number): QueueEntry[] {
  return kernel.sql
    .all<Open>(
      `SELECT id, session_id, status, attempt, failures, due_ms, created_ms FROM invocation
       WHERE pending = 1 AND id > ? ORDER BY id LIMIT ?`,
      after,
      limit,
    )
    .map((row) => ({
      invocation_id: row.id,
      session_id: row.session_id,
      status: row.status,
      waits_for: reasonOf(kernel, row),
      attempts: row.attempt,
      due_at: row.due_ms === null ? null : rfc3339(row.due_ms),
      created_at: rfc3339(row.created_ms),
    }));
}

/** A cancelled row, and whether its run was suspended. */
export type ClearedRow = { readonly row: InvocationRow; readonly waited: boolean };

/** Cancel what is accepted or waits; what runs goes on. */
export function clearQueue(kernel: Kernel, nowMs: number): readonly ClearedRow[] {
  const { sql } = kernel;
  return sql.transaction(() =>
    sql
      .all<{ id: string }>(
        `SELECT id FROM invocation WHERE pending = 1 AND status IN ('accepted', 'waiting')
         ORDER BY id DESC LIMIT ?`,
        CLEARED_AT_ONCE,
      )
      .flatMap(({ id }) => {
        const row = findInvocation(sql, id);
        if (!row) return [];
        return [{ row: cancelRow(kernel, row, nowMs), waited: row.status === "waiting" }];
      }),
  );
}

function reasonOf(kernel: Kernel, row: Open): string | null {
  if (row.status === "running") return null;
  if (row.status === "waiting") return saidReason(kernel.sql, row.id);
  if (row.due_ms === null) return "session";
  if (row.due_ms <= kernel.now()) return "place";
  return row.failures > 0 ? "retry" : saidReason(kernel.sql, row.id);
}

/** As its last event has it. */
function saidReason(sql: Sql, id: string): string | null {
  const last = readEvents(sql, id, Math.max(0, nextSeq(sql, id) - 2)).at(-1);
  const reason = last?.event === "invocation.waiting" ? last.data["reason"] : undefined;
  return typeof reason === "string" ? reason : null;
}
