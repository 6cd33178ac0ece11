/**
 * Waits that a run takes upon itself: until a time, or until somebody outside answers.
 *
 * W1  A sleep's end follows from its step's own start, so every attempt sees the same.
 * W2  A callback is answered once. The same answer again is no error, another one is refused.
 * W3  While it lasts the run is `waiting`: nothing is held in memory.
 */
import type { Callback } from "../../core/callbacks/contract.ts";
import { rfc3339 } from "../../core/clock.ts";
import { newId } from "../../core/ids.ts";
import { terminal } from "../../core/invocations/contract.ts";
import { refuse, type Refusal } from "../../core/problem.ts";
import type { CallbackWait, SleepWait, ToolResult } from "../../core/tools/contract.ts";
import { pack, unpack } from "./content.ts";
import type { Owner } from "./contract.ts";
import type { CallbackReply, FoundCallback } from "./contract-waits.ts";
import { RunFailure, Suspended } from "./failure.ts";
import { findInvocation } from "./invocations.ts";
import type { Claim, Kernel } from "./kernel.ts";
import type { Sql } from "./sql.ts";
import { resume } from "./wake.ts";

/** A row of `callback`, names as in the table. */
type CallbackRow = {
  readonly id: string;
  readonly invocation_id: string;
  readonly step_key: string;
  readonly created_ms: number;
  readonly expires_ms: number;
  readonly done_ms: number | null;
  /** Packed text of the answer. */
  readonly answer: string | null;
};

/** @throws Suspended  until it is over. */
export function sleepOver(kernel: Kernel, startedMs: number, wait: SleepWait): ToolResult {
  const untilMs = wait.untilMs ?? startedMs + (wait.forMs ?? 0);
  if (untilMs > startedMs + wait.maxMs) {
    return { content: `That is longer than ${wait.maxMs / 1000} seconds.`, isError: true };
  }
  if (kernel.now() < untilMs) throw new Suspended("sleep", untilMs);
  return { content: JSON.stringify({ slept_until: rfc3339(untilMs) }), isError: false };
}

/**
 * What somebody outside answered.
 *
 * @throws Suspended   while nobody has; the callback is made with the first suspension.
 * @throws RunFailure  `timeout` when nobody did in time and the spec says `fail`.
 */
export function callbackAnswer(
  kernel: Kernel,
  claim: Claim,
  stepKey: string,
  wait: CallbackWait,
): ToolResult {
  const row = kernel.sql.one<CallbackRow>(
    "SELECT * FROM callback WHERE invocation_id = ? AND step_key = ?",
    claim.id,
    stepKey,
  );
  if (!row) throw opened(kernel, claim, stepKey, wait);
  if (row.answer !== null) return { content: unpack(kernel.sql, row.answer), isError: false };
  if (kernel.now() < row.expires_ms) throw suspendedOn(kernel, row);
  const detail = "nobody answered the callback in time";
  if (wait.onTimeout === "fail") throw new RunFailure({ code: "timeout", detail }, false);
  return { content: detail, isError: true };
}

/** One tenant's object, as far as callbacks need it. */
type Place = { readonly kernel: Kernel; readonly owner: Pick<Owner, "tenantId"> };

export function readCallback({ kernel, owner }: Place, id: string): FoundCallback | Refusal {
  const row = findCallback(kernel.sql, id);
  if (!row) return refuse("not_found", "no such callback");
  const proof = kernel.signer.sign(owner.tenantId, `callback ${id}`);
  return { ok: true, callback: onWire(kernel, row), proof };
}

/**
 * W2: answer it, and let the run go on.
 */
export function answerCallback(
  { kernel, owner }: Place,
  { id, body, proof }: CallbackReply,
): FoundCallback | Refusal {
  // Who proves nothing learns nothing: the same as for one that is not there.
  const proven =
    proof === undefined || kernel.signer.verify(owner.tenantId, `callback ${id}`, proof) === "good";
  const row = proven ? findCallback(kernel.sql, id) : undefined;
  if (!row) return refuse("not_found", "no such callback");
  if (row.answer !== null) {
    const same = unpack(kernel.sql, row.answer) === body;
    return same
      ? { ok: true, callback: onWire(kernel, row) }
      : refuse("conflict", "it was answered already");
  }
  const of = findInvocation(kernel.sql, row.invocation_id);
  if (!of || terminal(of.status)) return refuse("conflict", "the run it was for has ended");
  const nowMs = kernel.now();
  if (nowMs >= row.expires_ms) return refuse("conflict", "its time is over");
  return kernel.sql.transaction(() => {
    const answer = pack(kernel.sql, `${row.invocation_id}/${id}/answer`, body);
    kernel.sql.run("UPDATE callback SET answer = ?, done_ms = ? WHERE id = ?", answer, nowMs, id);
    resume(kernel, row.invocation_id, nowMs);
    return { ok: true, callback: onWire(kernel, { ...row, answer, done_ms: nowMs }) };
  });
}

function opened(kernel: Kernel, claim: Claim, stepKey: string, wait: CallbackWait): Suspended {
  const nowMs = kernel.now();
  const id = newId("callback", nowMs, claim.installed.release.tag);
  const expiresMs = nowMs + wait.timeoutMs;
  const record = (): void =>
    kernel.sql.run(
      "INSERT INTO callback VALUES (?, ?, ?, ?, ?, NULL, NULL)",
      id,
      claim.id,
      stepKey,
      nowMs,
      expiresMs,
    );
  return new Suspended("callback", expiresMs, [], record, { callback_id: id, key: stepKey });
}

function suspendedOn(kernel: Kernel, row: CallbackRow): Suspended {
  const record = (): void => {
    // Answered while other steps of the run were still at work.
    const answered = findCallback(kernel.sql, row.id)?.answer !== null;
    if (answered) resume(kernel, row.invocation_id, kernel.now());
  };
  const told = { callback_id: row.id, key: row.step_key };
  return new Suspended("callback", row.expires_ms, [], record, told);
}

function findCallback(sql: Sql, id: string): CallbackRow | undefined {
  return sql.one<CallbackRow>("SELECT * FROM callback WHERE id = ?", id);
}

function onWire(kernel: Kernel, row: CallbackRow): Callback {
  const over = kernel.now() >= row.expires_ms;
  return {
    id: row.id,
    invocation_id: row.invocation_id,
    step: row.step_key,
    status: row.done_ms !== null ? "answered" : over ? "expired" : "open",
    created_at: rfc3339(row.created_ms),
    expires_at: rfc3339(row.expires_ms),
    answered_at: row.done_ms === null ? null : rfc3339(row.done_ms),
  };
}
