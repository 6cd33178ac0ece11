import { rfc3339 } from "../../core/clock.ts";
import type { InvocationStatus, Output } from "../../core/invocations/contract.ts";
import type { ModelMessage } from "../../core/models/contract.ts";
import type { ProblemData } from "../../core/problem.ts";
import { pack } from "./content.ts";
import { appendEvents, nextSeq, packEvents, type Fact } from "./events.ts";
import type { InvocationRow } from "./invocations.ts";
import type { Claim, Kernel } from "./kernel.ts";
import { tokensOf } from "./sessions.ts";
import { chargeLost } from "./steps.ts";

type End = Extract<InvocationStatus, "succeeded" | "failed" | "dead" | "cancelled">;

/**
 * A4: the terminal state, with everything that belongs to it, in the caller's transaction.
 *
 * @returns  the terminal row; undefined when the claim was fenced out (cancelled, or another attempt
 *           runs): nothing is written then.
 */
export function succeed(
  kernel: Kernel,
  claim: Claim,
  facts: readonly Fact[],
  answer: { readonly output: Output; readonly messages: readonly ModelMessage[] },
  nowMs: number,
): InvocationRow | undefined {
  const packed = pack(kernel.sql, `${claim.id}/output`, JSON.stringify(answer.output));
  const last: Fact[] = [...facts, ["message.completed", {}], ["invocation.succeeded", {}]];
  const tokens = tokensOf(claim.input) + tokensOf(answer.messages);
  return end(kernel, claim, "succeeded", { output: packed, error: null, tokens }, last, nowMs);
}

/** The run ended without an answer: `failed` for what no retry mends, `dead` when retries are used up. */
export function giveUp(
  kernel: Kernel,
  claim: Pick<Claim, "id" | "sessionId" | "attempt" | "seq">,
  status: "failed" | "dead",
  problem: ProblemData,
  facts: readonly Fact[],
  nowMs: number,
): InvocationRow | undefined {
  const error = JSON.stringify({ code: problem.code, detail: problem.detail });
  closeSteps(kernel, claim, nowMs);
  const name = status === "failed" ? "invocation.failed" : "invocation.dead";
  const last: Fact[] = [...facts, [name, {}]];
  return end(kernel, claim, status, { output: null, error, tokens: 0 }, last, nowMs);
}

/** Cancel whatever is not terminal; what was under way is fenced out by the status. */
export function cancelRow(kernel: Kernel, row: InvocationRow, nowMs: number): InvocationRow {
  const lost = kernel.running.get(row.id)?.lost;
  if (lost) chargeLost(kernel.sql, row.id, lost.key, lost.cost());
  const seq = nextSeq(kernel.sql, row.id);
  const claim = { id: row.id, attempt: row.attempt, sessionId: row.session_id, seq };
  closeSteps(kernel, claim, nowMs);
  const nothing = { output: null, error: null, tokens: 0 };
  const last: Fact[] = [["invocation.cancelled", {}]];
  return end(kernel, claim, "cancelled", nothing, last, nowMs) ?? row;
}

/** What was sent and will never be answered to this run; nothing, for an attempt that is fenced out. */
function closeSteps(kernel: Kernel, claim: Pick<Claim, "id" | "attempt">, nowMs: number): void {
  kernel.sql.run(
    `UPDATE step SET finished_ms = ?1, state = CASE kind WHEN 'model' THEN 'failed' ELSE 'unknown' END
     WHERE invocation_id = ?2 AND state = 'sent' AND EXISTS (
       SELECT 1 FROM invocation WHERE id = ?2 AND attempt = ?3 AND completed_ms IS NULL)`,
    nowMs,
    claim.id,
    claim.attempt,
  );
}

/** Not terminal: the attempt failed and another one is due at `dueMs`. */
export function retryLater(
  kernel: Kernel,
  claim: Claim,
  facts: readonly Fact[],
  dueMs: number,
  nowMs: number,
): void {
  const postponed = kernel.sql.one(
    `UPDATE invocation SET status = 'accepted', failures = failures + 1, due_ms = ?
     WHERE id = ? AND attempt = ? AND status = 'running' RETURNING 1`,
    dueMs,
    claim.id,
    claim.attempt,
  );
  if (!postponed) return;
  const waiting: Fact = ["invocation.waiting", { reason: "retry", due_at: rfc3339(dueMs) }];
  appendEvents(kernel.sql, claim.id, claim.seq, [...facts, waiting], nowMs);
}

type Result = {
  readonly output: string | null;
  readonly error: string | null;
  readonly tokens: number;
};

/**
 * G2: one conditional statement decides, and writes all that an end is: status, result, the last
 * events, what is owed to the ledger; usage is the sum of the steps, lost sends included.
 */
function end(
  kernel: Kernel,
  claim: Pick<Claim, "id" | "sessionId" | "attempt" | "seq">,
  status: End,
  result: Result,
  facts: readonly Fact[],
  nowMs: number,
): InvocationRow | undefined {
  const row = kernel.sql.one<InvocationRow>(
    `UPDATE invocation SET status = ?1, output = ?2, error = ?3, completed_ms = ?4, due_ms = NULL,
       closing = ?7, closed = ?8, tokens = ?9, pending = 2,
       (input_tokens, output_tokens, model_calls, tool_calls, estimated, cost_micros) = (
         SELECT coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0),
           coalesce(sum(kind = 'model'), 0), coalesce(sum(kind = 'tool'), 0),
           coalesce(max(estimated), 0), coalesce(sum(cost_micros), 0)
         FROM step WHERE invocation_id = ?5)
     WHERE id = ?5 AND attempt = ?6 AND completed_ms IS NULL RETURNING *`,
    status,
    result.output,
    result.error,
    nowMs,
    claim.id,
    claim.attempt,
    packEvents(kernel.sql, claim.id, claim.seq, facts),
    claim.seq,
    result.tokens,
  );
  // Everything open runs: then no turn waits behind this one.
  if (row && kernel.open.count > kernel.running.size) wakeNext(kernel, claim.sessionId, nowMs);
  return row;
}

/** The session's next turn is due, when it waited for this one. */
function wakeNext(kernel: Kernel, sessionId: string, nowMs: number): void {
  const next = kernel.sql.one<{ id: string; status: string; due_ms: number | null }>(
    `SELECT id, status, due_ms FROM invocation
     WHERE pending = 1 AND session_id = ? ORDER BY turn LIMIT 1`,
    sessionId,
  );
  if (next?.status === "accepted" && next.due_ms === null) {
    kernel.sql.run("UPDATE invocation SET due_ms = ? WHERE id = ?", nowMs, next.id);
  }
}
