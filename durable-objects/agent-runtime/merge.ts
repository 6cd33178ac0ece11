/**
 * Several inputs of a session as one turn.
 *
 * N1  An input joins only a turn that has not begun: `accepted`, never attempted, still gathering.
 * N2  Whoever joined is answered with that one invocation, also when the request comes again: its
 *     key stands beside it in `joined`.
 * N3  Each input puts the beginning off by the window, all together by at most ten windows.
 */
import { metadataOf } from "./invocations.ts";
import type { InvokeBody } from "../../core/invocations/contract.ts";
import { refuse, type Refusal } from "../../core/problem.ts";
import type { Admission } from "./accept.ts";
import { pack, sealJson, unpack } from "./content.ts";
import type { Call } from "./contract.ts";
import type { InvocationRow } from "./invocations.ts";
import type { Kernel } from "./kernel.ts";

/** Windows one turn may gather for. */
const MOST_WINDOWS = 10;
/** What one turn's inputs may be together; more begins a turn of its own. */
const MOST_UNITS = 10 * 1024 * 1024;
const MOST_MESSAGES = 1000;
const MOST_METADATA = 16;

type Joined = Extract<Admission, { ok: true }> & { readonly joined: true };

/** Inputs that come now may join this invocation. */
export function gather({ sql }: Kernel, id: string, windowMs: number, nowMs: number): void {
  sql.run(
    "DELETE FROM gathering WHERE invocation_id NOT IN (SELECT id FROM invocation WHERE pending = 1)",
  );
  const latestMs = nowMs + MOST_WINDOWS * windowMs;
  sql.run("INSERT INTO gathering VALUES (?, ?, ?)", id, nowMs + windowMs, latestMs);
}

/** When an invocation that gathers may begin; undefined for one that does not. */
export function closesMs({ sql }: Kernel, id: string): number | undefined {
  return sql.one<{ closes_ms: number }>(
    "SELECT closes_ms FROM gathering WHERE invocation_id = ?",
    id,
  )?.closes_ms;
}

type Gathering = InvocationRow & { readonly latest_ms: number };

/** The call as a part of the session's newest turn, if that still gathers (N1). */
export function join(
  kernel: Kernel,
  call: Call,
  sessionId: string,
  windowMs: number,
  nowMs: number,
): Joined | undefined {
  const { sql } = kernel;
  const row = sql.one<Gathering>(
    `SELECT i.*, g.latest_ms FROM invocation i JOIN gathering g ON g.invocation_id = i.id
     WHERE i.pending = 1 AND i.session_id = ? AND i.status = 'accepted' AND i.attempt = 0
     ORDER BY i.turn DESC LIMIT 1`,
    sessionId,
  );
  const both = row && together(kernel, row, call);
  if (!both) return undefined;
  const dueMs = Math.min(nowMs + windowMs, row.latest_ms);
  sql.run(
    `UPDATE invocation SET input = ?, metadata = ?, max_cost_micros = ?, deltas = max(deltas, ?),
       due_ms = CASE WHEN due_ms IS NULL THEN NULL ELSE ? END WHERE id = ?`,
    pack(sql, `${row.id}/input`, both.input),
    both.metadata && sealJson(sql, `${row.id}/metadata`, both.metadata),
    least(row.max_cost_micros, call.maxCostMicros),
    call.deltas ? 1 : 0,
    dueMs,
    row.id,
  );
  sql.run("UPDATE gathering SET closes_ms = ? WHERE invocation_id = ?", dueMs, row.id);
  if (call.idempotencyKey !== undefined) {
    const { principal, idempotencyKey, fingerprint } = call;
    sql.run(
      "INSERT INTO joined VALUES (?, ?, ?, ?)",
      principal,
      idempotencyKey,
      fingerprint,
      row.id,
    );
    kernel.joins.known = true;
  }
  return { ...answerOf(row), replayed: false };
}

/** N2. An object that never joined anything asks its table once. */
export function replayOfJoined(kernel: Kernel, call: Call): Joined | Refusal | undefined {
  const { sql, joins } = kernel;
  if (call.idempotencyKey === undefined || joins.known === false) return undefined;
  joins.known ??= sql.one("SELECT 1 FROM joined LIMIT 1") !== undefined;
  if (!joins.known) return undefined;
  const row = sql.one<{ id: string; session_id: string; fingerprint: string }>(
    `SELECT i.id, i.session_id, j.fingerprint FROM joined j
     JOIN invocation i ON i.id = j.invocation_id WHERE j.principal = ? AND j.idem = ?`,
    call.principal,
    call.idempotencyKey,
  );
  if (!row) return undefined;
  if (row.fingerprint === call.fingerprint) return { ...answerOf(row), replayed: true };
  return refuse("idempotency_mismatch", "this Idempotency-Key was used with another request", {
    errors: [{ pointer: "Idempotency-Key", detail: "used with another body" }],
  });
}

function answerOf({ id, session_id: sessionId }: Pick<InvocationRow, "id" | "session_id">) {
  return { ok: true, id, sessionId, claim: undefined, joined: true } as const;
}

/** Undefined when both are more than one turn may hold. */
function together({ sql }: Kernel, row: InvocationRow, call: Call) {
  const before = unpack(sql, row.input);
  if (before.length + call.input.length > MOST_UNITS) return undefined;
  if (before.startsWith("{")) return undefined; // a request for an upstream: nothing joins it
  const messages = [...messagesOf(before), ...messagesOf(call.input)];
  const metadata = { ...metadataOf(sql, row), ...call.metadata };
  const entries = Object.keys(metadata).length;
  if (messages.length > MOST_MESSAGES || entries > MOST_METADATA) return undefined;
  return {
    input: JSON.stringify(messages),
    metadata: entries === 0 ? null : JSON.stringify(metadata),
  };
}

/** `InvokeBody.input` as the messages it stands for; the edge has checked its shape. */
function messagesOf(input: string): Exclude<InvokeBody["input"], string> {
  const parsed = JSON.parse(input) as InvokeBody["input"];
  return typeof parsed === "string" ? [{ role: "user", content: parsed }] : parsed;
}

function least(one: number | null, other: number | undefined): number | null {
  if (one === null) return other ?? null;
  return other === undefined ? one : Math.min(one, other);
}
