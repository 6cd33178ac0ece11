import { boundOf, lower } from "./bound.ts";
import { branchIn } from "./branch.ts";
import { appendEvents, nextSeq, type Fact } from "./events.ts";
import { putsOff } from "./steps.ts";
import { findInvocation, type InvocationRow } from "./invocations.ts";
import type { Claim, Kernel } from "./kernel.ts";
import { giveUp } from "./settle.ts";
import { askerOf } from "./spend.ts";
import { unpack } from "./content.ts";
import { inputMessages } from "./sessions.ts";

/** A run that took the object down this often is poison: it is dead-lettered (DECISIONS 14). */
const MAX_RESTARTS = 20;

/**
 * Boot repair: a `running` row belongs to a dead incarnation. It is due at once, or dead when it
 * has been found like this too often.
 *
 * @returns invocations that are open now, those that wait aside.
 */
export function requeueOrphans(kernel: Kernel, nowMs: number): number {
  const { sql } = kernel;
  const open = sql.all<{ id: string; status: string; restarts: number }>(
    "SELECT id, status, restarts FROM invocation WHERE pending = 1",
  );
  const orphans = open.filter((row) => row.status === "running");
  const atWork = open.filter((row) => row.status !== "waiting").length;
  if (orphans.length === 0) return atWork;
  sql.transaction(() => {
    for (const orphan of orphans) {
      sql.run(
        `UPDATE invocation SET status = 'accepted', due_ms = ?, restarts = restarts + 1
         WHERE id = ?`,
        nowMs,
        orphan.id,
      );
    }
  });
  return atWork;
}

/** Ids of invocations that wait, or were put off, until `nowMs`; oldest first. */
export function dueInvocations(kernel: Kernel, nowMs: number, limit: number): string[] {
  return kernel.sql
    .all<{ id: string }>(
      `SELECT id FROM invocation
       WHERE pending = 1 AND status IN ('accepted', 'waiting') AND due_ms <= ? ORDER BY due_ms, id LIMIT ?`,
      nowMs,
      limit,
    )
    .map((row) => row.id);
}

/** A claim to carry, or the terminal row of one that was not worth another attempt. */
export type Taken =
  | { readonly claim: Claim; readonly ended?: never }
  | { readonly ended: InvocationRow | undefined; readonly claim?: never };

/** Take up a due invocation: one transaction counts the attempt and says so in the log. */
export function takeUp(kernel: Kernel, id: string, nowMs: number): Taken | undefined {
  return kernel.sql.transaction(() => {
    const row = findInvocation(kernel.sql, id);
    const waited = row?.status === "waiting";
    if (!row || (row.status !== "accepted" && !waited)) return undefined;
    if (waited) kernel.open.count += 1;
    const attempt = row.attempt + 1;
    kernel.sql.run(
      "UPDATE invocation SET status = 'running', attempt = ?, due_ms = NULL WHERE id = ?",
      attempt,
      id,
    );
    const place = { id, sessionId: row.session_id, attempt, seq: nextSeq(kernel.sql, id) };
    const installed = kernel.releases.get(row.generation);
    // Thrown, it would stop the dispatcher at this row for good, with all that are due behind it.
    if (!installed) return { ended: bury(kernel, place, "its release is gone", nowMs) };
    if (row.restarts > MAX_RESTARTS) {
      const detail = `the run was interrupted ${row.restarts} times`;
      return { ended: bury(kernel, place, detail, nowMs) };
    }
    const taken: Claim = {
      ...place,
      turn: row.turn,
      failures: row.failures,
      installed,
      input: inputMessages(unpack(kernel.sql, row.input)),
      deltas: row.deltas === 1,
      maxCostMicros: lower(
        boundOf(row.max_cost_micros, installed),
        kernel.spend.boundOf(askerOf(kernel.sql, row)),
      ),
      ...(row.branch !== null && { branch: branchIn(row.branch) }),
    };
    // A run that waited, or put a call off, has no half-said words for readers to drop.
    const whole = attempt === 1 || waited || putsOff(kernel.sql, id);
    const fact: Fact = [whole ? "run.started" : "run.restarted", { attempt }];
    appendEvents(kernel.sql, id, taken.seq, [fact], nowMs);
    taken.seq += 1;
    return { claim: taken };
  });
}

function bury(
  kernel: Kernel,
  place: Pick<Claim, "id" | "sessionId" | "attempt" | "seq">,
  detail: string,
  nowMs: number,
): InvocationRow | undefined {
  return giveUp(kernel, place, "dead", { code: "internal", detail }, [], nowMs);
}
