/**
 * What becomes of input that arrives while a turn of its session is open (K12).
 *
 * P1  What is done to the open turn and the acceptance of the new one are one transaction: a
 *     refusal leaves the open turn as it was.
 * P2  A request that its key makes known is answered with its invocation and moves nothing.
 * P3  An agent without rules of its own pays one comparison: its turns wait.
 */
import type { SessionRules } from "../../core/agents/spec.ts";
import { refuse, type Refusal } from "../../core/problem.ts";
import { admit, type Admission } from "./accept.ts";
import type { Call } from "./contract.ts";
import { findByKey, type InvocationRow } from "./invocations.ts";
import { interruptedWith, type Cut } from "./interrupted.ts";
import { gather, join, replayOfJoined } from "./merge.ts";
import type { Kernel } from "./kernel.ts";
import { openSession } from "./open-session.ts";
import type { Prefix } from "./prefix.ts";
import type { Installed } from "./releases.ts";
import { cancelRow } from "./settle.ts";

/** An open turn that gave way, and what it was before. */
export type Displaced = { readonly row: InvocationRow; readonly waited: boolean };

export type Entry =
  | (Extract<Admission, { ok: true }> & {
      /** It is a part of an invocation that was accepted before and has not begun. */
      readonly joined?: true;
      readonly displaced?: readonly Displaced[];
    })
  | Refusal;

/** `admit`, after the agent's rules for its sessions. */
export function enter(
  kernel: Kernel,
  call: Call,
  installed: Installed,
  nowMs: number,
  prefix?: Prefix,
): Entry {
  const again = replayOfJoined(kernel, call);
  if (again) return again;
  const rules = installed.spec.session;
  if (rules === undefined || rules.policy === "queue" || apart(call, prefix)) {
    return admit(kernel, call, installed, nowMs, prefix);
  }
  if (call.sessionId === undefined || replayed(kernel, call)) {
    return admit(kernel, call, installed, nowMs);
  }
  return RULED[rules.policy](kernel, call, installed, nowMs, rules);
}

type Ruled = (
  kernel: Kernel,
  call: Call,
  installed: Installed,
  nowMs: number,
  rules: SessionRules,
) => Entry;

const RULED: Record<Exclude<SessionRules["policy"], "queue">, Ruled> = {
  reject,
  interrupt: (kernel, call, installed, nowMs) =>
    // Its words are kept, so they must be in the log whoever listens.
    displacing(kernel, { ...call, deltas: true }, installed, nowMs, (row) =>
      interruptedWith(kernel.sql, row),
    ),
  rollback: (kernel, call, installed, nowMs) =>
    displacing(kernel, call, installed, nowMs, () => ({ reason: "rolled_back" })),
  merge: merging,
};

/**
 * Not said in the conversation as it goes on: what repeats a turn, inputs of a batch, and requests
 * for an upstream wait.
 */
function apart({ redrivenFrom, batch, proxied }: Call, prefix: Prefix | undefined): boolean {
  const repeats = redrivenFrom !== undefined || prefix !== undefined;
  return repeats || batch !== undefined || proxied !== undefined;
}

function replayed({ sql }: Kernel, { principal, idempotencyKey }: Call): boolean {
  return idempotencyKey !== undefined && findByKey(sql, principal, idempotencyKey) !== undefined;
}

function reject(kernel: Kernel, call: Call, installed: Installed, nowMs: number): Entry {
  const session = openSession(kernel, call, installed.release.tag, nowMs);
  if (!session.ok || session.free) return admit(kernel, call, installed, nowMs);
  return refuse("conflict", "the session is busy, and its agent takes one input at a time", {
    errors: [{ pointer: "/session_id", detail: "a turn of it is open" }],
  });
}

/** The open turns of the session end as cancelled, and the new one takes their place. */
function displacing(
  kernel: Kernel,
  call: Call,
  installed: Installed,
  nowMs: number,
  cutOf: (row: InvocationRow) => Cut,
): Entry {
  try {
    return kernel.sql.transaction((): Entry => {
      const session = openSession(kernel, call, installed.release.tag, nowMs);
      if (!session.ok) return session;
      const open = session.free ? [] : openTurns(kernel, session.id);
      const displaced = open.map((row) => ({
        row: cancelRow(kernel, row, nowMs, cutOf(row)),
        waited: row.status === "waiting",
      }));
      const admission = admit(kernel, call, installed, nowMs);
      if (!admission.ok) throw new NotAdmitted(admission); // P1
      return { ...admission, displaced };
    });
  } catch (e) {
    if (e instanceof NotAdmitted) return e.refusal;
    throw e;
  }
}

/** It joins what has not begun, or begins a turn that others may join. */
function merging(
  kernel: Kernel,
  call: Call,
  installed: Installed,
  nowMs: number,
  { merge_window_ms: windowMs }: SessionRules,
): Entry {
  const session = openSession(kernel, call, installed.release.tag, nowMs);
  if (!session.ok) return session;
  return kernel.sql.transaction((): Entry => {
    const joined = join(kernel, call, session.id, windowMs, nowMs);
    if (joined) return joined;
    const held = { ...call, heldUntilMs: nowMs + windowMs };
    const admission = admit(kernel, held, installed, nowMs);
    if (admission.ok) gather(kernel, admission.id, windowMs, nowMs);
    return admission;
  });
}

function openTurns({ sql }: Kernel, sessionId: string): readonly InvocationRow[] {
  return sql.all<InvocationRow>(
    "SELECT * FROM invocation WHERE pending = 1 AND session_id = ? ORDER BY turn",
    sessionId,
  );
}

/** Rolls back what was done to the open turns. */
class NotAdmitted extends Error {
  override readonly name = "NotAdmitted";
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(refusal.problem.detail);
    this.refusal = refusal;
  }
}
