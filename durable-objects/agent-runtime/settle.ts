import { rfc3339 } from "../../core/clock.ts";
import type { InvocationStatus, Output } from "../../core/invocations/contract.ts";
import type { ModelMessage } from "../../core/models/contract.ts";
import type { ProblemData } from "../../core/problem.ts";
import { withdrawApprovals } from "./approvals.ts";
import { pack, sealJson } from "./content.ts";
import type { Suspended } from "./failure.ts";
import { appendEvents, nextSeq, packEvents, type Fact } from "./events.ts";
import { findInvocation, type InvocationRow } from "./invocations.ts";
import type { Cut } from "./interrupted.ts";
import type { Claim, Kernel } from "./kernel.ts";
import { closesMs } from "./merge.ts";
import { tokensOf } from "./sessions.ts";
import type { ModelStep } from "./model-step.ts";
import {
  chargeLost,
  closeSent,
  findFirst,
  modelKey,
  packOutput,
  sumOf,
  type FinishedFirst,
} from "./steps.ts";

type End = Extract<InvocationStatus, "succeeded" | "failed" | "dead" | "cancelled">;

/**
 * A4: the terminal state with everything that belongs to it, in one statement where it can be and
 * else in one transaction.
 *
 * @returns  the terminal row; undefined when the claim was fenced out (cancelled, or another attempt
 *           runs): nothing is written then.
 */
export function succeed(
  kernel: Kernel,
  claim: Claim,
  step: Pick<ModelStep, "record" | "facts" | "first">,
  answer: { readonly output: Output; readonly messages: readonly ModelMessage[] },
): InvocationRow | undefined {
  const { first } = step;
  const output = JSON.stringify(answer.output);
  const write = (): InvocationRow | undefined => {
    if (!first) step.record();
    return end(kernel, claim, "succeeded", {
      output: pack(kernel.sql, `${claim.id}/output`, output),
      tokens: tokensOf(claim.input) + tokensOf(answer.messages),
      facts: [...step.facts, ["message.completed", {}], ["invocation.succeeded", {}]],
      ...(first && { first }),
    });
  };
  const plain = !turnsWait(kernel) && !kernel.spend.holds(claim.id);
  const alone = first && plain && output.length <= SHORT_UNITS;
  return alone ? write() : kernel.sql.transaction(write);
}

/** The step's output and the last events hold what the output does: up to this none needs rows of its own. */
const SHORT_UNITS = 32_768;

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
  if (open(kernel, claim)) {
    closeSent(kernel.sql, claim.id, nowMs);
    withdrawApprovals(kernel, claim.id);
  }
  const name = status === "failed" ? "invocation.failed" : "invocation.dead";
  return end(kernel, claim, status, { error, facts: [...facts, [name, {}]] });
}

/**
 * Cancel whatever is not terminal; what was under way is fenced out by the status.
 *
 * @param cut  Present when another input of the session took its place.
 */
export function cancelRow(
  kernel: Kernel,
  row: InvocationRow,
  nowMs: number,
  cut?: Cut,
): InvocationRow {
  const lost = kernel.running.get(row.id)?.lost;
  if (lost) chargeLost(kernel.sql, row.id, lost.key, lost.cost());
  const seq = nextSeq(kernel.sql, row.id);
  const claim = { id: row.id, attempt: row.attempt, sessionId: row.session_id, seq };
  closeSent(kernel.sql, row.id, nowMs);
  withdrawApprovals(kernel, row.id);
  const { reason, output, tokens } = cut ?? {};
  const cancelled: Fact = ["invocation.cancelled", reason === undefined ? {} : { reason }];
  const kept = output && pack(kernel.sql, `${row.id}/output`, JSON.stringify(output));
  const left = { ...(kept && { output: kept }), ...(tokens && { tokens }) };
  return end(kernel, claim, "cancelled", { ...left, facts: [cancelled] }) ?? row;
}

/** End whatever is not terminal as `failed`, like a cancel: what was under way is fenced out. */
export function stopRow(
  kernel: Kernel,
  row: InvocationRow,
  problem: ProblemData,
  nowMs: number,
): InvocationRow | undefined {
  const lost = kernel.running.get(row.id)?.lost;
  if (lost) chargeLost(kernel.sql, row.id, lost.key, lost.cost());
  const seq = nextSeq(kernel.sql, row.id);
  const claim = { id: row.id, attempt: row.attempt, sessionId: row.session_id, seq };
  return giveUp(kernel, claim, "failed", problem, [], nowMs);
}

/** Is this attempt still the one that counts? */
function open({ sql }: Kernel, { id, attempt }: Pick<Claim, "id" | "attempt">): boolean {
  const row = sql.one(
    "SELECT 1 FROM invocation WHERE id = ? AND attempt = ? AND completed_ms IS NULL",
    id,
    attempt,
  );
  return row !== undefined;
}

/**
 * Not terminal: another attempt is due at `dueMs`.
 *
 * @param failed  This one failed, and counts; else it goes on from where it is.
 */
export function retryLater(
  kernel: Kernel,
  claim: Claim,
  facts: readonly Fact[],
  dueMs: number,
  nowMs: number,
  failed = true,
): void {
  const postponed = kernel.sql.one(
    `UPDATE invocation SET status = 'accepted', failures = failures + ?, due_ms = ?
     WHERE id = ? AND attempt = ? AND status = 'running' RETURNING 1`,
    failed ? 1 : 0,
    dueMs,
    claim.id,
    claim.attempt,
  );
  if (!postponed) return;
  kernel.spend.rested(claim.id);
  const waiting: Fact = ["invocation.waiting", { reason: "retry", due_at: rfc3339(dueMs) }];
  appendEvents(kernel.sql, claim.id, claim.seq, [...facts, waiting], nowMs);
}

/** Not terminal: the run waits, and takes no place while it does. */
export function suspend(
  kernel: Kernel,
  claim: Claim,
  wait: Suspended,
  nowMs: number,
): InvocationRow | undefined {
  const suspended = kernel.sql.one(
    `UPDATE invocation SET status = 'waiting', due_ms = ?
     WHERE id = ? AND attempt = ? AND status = 'running' RETURNING 1`,
    wait.dueMs ?? null,
    claim.id,
    claim.attempt,
  );
  if (!suspended) return undefined;
  wait.record();
  kernel.spend.rested(claim.id);
  const due = wait.dueMs === undefined ? {} : { due_at: rfc3339(wait.dueMs) };
  const waiting: Fact = ["invocation.waiting", { reason: wait.reason, ...due, ...wait.told }];
  appendEvents(kernel.sql, claim.id, claim.seq, [...wait.facts, waiting], nowMs);
  return findInvocation(kernel.sql, claim.id);
}

type Ending = {
  readonly output?: string;
  readonly error?: string;
  /** Of what the turn adds to a history window. */
  readonly tokens?: number;
  readonly facts: readonly Fact[];
  /** Present: the first step was the only one, and is finished with this end. */
  readonly first?: FinishedFirst;
};

/**
 * G2: one conditional statement decides, and writes all that an end is: status, result, the last
 * events, what is owed to the ledger, and the sum of the steps, lost sends included.
 */
function end(
  kernel: Kernel,
  claim: Pick<Claim, "id" | "sessionId" | "attempt" | "seq" | "row">,
  status: End,
  ending: Ending,
): InvocationRow | undefined {
  const { sql } = kernel;
  const { id, seq } = claim;
  const { first } = ending;
  const step = first?.step ?? findFirst(sql, id) ?? null;
  const change = {
    status,
    output: ending.output ?? null,
    error: ending.error === undefined ? null : sealJson(sql, `${id}/error`, ending.error),
    completed_ms: kernel.now(),
    closing: packEvents(sql, id, seq, ending.facts),
    closed: seq,
    tokens: ending.tokens ?? 0,
    ...sumOf(sql, id, step, first === undefined),
  };
  const done = first && {
    first: JSON.stringify(first.step),
    first_output: packOutput(sql, id, modelKey(0, 0), first.output),
  };
  const ended = sql.one(
    END,
    id,
    claim.attempt,
    done?.first ?? null,
    done?.first_output ?? null,
    ...Object.values(change),
  );
  if (!ended) return undefined;
  kernel.spend.ended(id, change.cost_micros);
  // Everything open runs: then no turn waits behind this one.
  if (turnsWait(kernel)) wakeNext(kernel, claim.sessionId, change.completed_ms);
  const { row } = claim;
  return row ? { ...row, ...change, ...done, due_ms: null, pending: 2 } : findInvocation(sql, id);
}

const END = `UPDATE invocation SET due_ms = NULL, pending = 2,
  first = coalesce(?3, first), first_output = coalesce(?4, first_output), status = ?5,
  output = ?6, error = ?7, completed_ms = ?8, closing = ?9, closed = ?10, tokens = ?11,
  input_tokens = ?12, output_tokens = ?13, model_calls = ?14, tool_calls = ?15, estimated = ?16,
  cost_micros = ?17
  WHERE id = ?1 AND attempt = ?2 AND completed_ms IS NULL RETURNING 1`;

/** Is something open that does not run? */
function turnsWait({ open, running }: Kernel): boolean {
  return open.count > running.size;
}

/** The session's next turn is due, when it waited for this one. */
function wakeNext(kernel: Kernel, sessionId: string, nowMs: number): void {
  const next = kernel.sql.one<{ id: string; status: string; due_ms: number | null }>(
    `SELECT id, status, due_ms FROM invocation
     WHERE pending = 1 AND session_id = ? ORDER BY turn LIMIT 1`,
    sessionId,
  );
  if (next?.status === "accepted" && next.due_ms === null) {
    const dueMs = Math.max(nowMs, closesMs(kernel, next.id) ?? 0);
    kernel.sql.run("UPDATE invocation SET due_ms = ? WHERE id = ?", dueMs, next.id);
  }
}
