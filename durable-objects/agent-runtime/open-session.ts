import { isId, newId } from "../../core/ids.ts";
import { refuse, type Refusal } from "../../core/problem.ts";
import type { Kernel } from "./kernel.ts";

/** A session about to take a turn; nothing is written until `take`. */
export type OpenSession = {
  readonly ok: true;
  readonly id: string;
  readonly turn: number;
  /** No earlier turn is open. */
  readonly free: boolean;
  /** Count the turn; makes the session's row when it is new. */
  take(): void;
};

/** Who speaks, and in which session: a `ses_` id, a name of the principal's own, or a new one. */
export type Speaker = {
  readonly principal: string;
  readonly sessionId?: string;
  /** Present: `sessionId` is that of the invocation to be repeated, whoever began it. */
  readonly redrivenFrom?: string;
};

type SessionRow = { readonly id: string; readonly turns: number };

/**
 * The session of a call. A `ses_` id must be one of this principal's, any other name is the
 * principal's own (DECISIONS 4); without a name it is a new one.
 */
export function openSession(
  kernel: Kernel,
  speaker: Speaker,
  tag: string,
  nowMs: number,
): OpenSession | Refusal {
  const { sql } = kernel;
  const name = speaker.sessionId;
  const row = name === undefined ? undefined : findSession(kernel, speaker, name);
  if (row) {
    return {
      ok: true,
      id: row.id,
      turn: row.turns,
      free: !sql.one(
        "SELECT 1 FROM invocation WHERE session_id = ? AND completed_ms IS NULL LIMIT 1",
        row.id,
      ),
      take: () => {
        sql.run("UPDATE session SET turns = turns + 1 WHERE id = ?", row.id);
      },
    };
  }
  if (name !== undefined && isId("session", name)) {
    return refuse("not_found", "no such session", {
      errors: [{ pointer: "/session_id", detail: "no such session" }],
    });
  }
  const id = newId("session", nowMs, tag);
  return {
    ok: true,
    id,
    turn: 0,
    free: true,
    take: () => insertSession(kernel, id, speaker.principal, name ?? null, 1, nowMs),
  };
}

/** A session without a turn yet, for a socket that is opened before anything is said. */
export function insertSession(
  kernel: Kernel,
  id: string,
  principal: string,
  clientKey: string | null,
  turns: number,
  nowMs: number,
): void {
  kernel.sql.run(
    "INSERT INTO session VALUES (?, ?, ?, ?, ?)",
    id,
    principal,
    clientKey,
    turns,
    nowMs,
  );
}

function findSession(
  kernel: Kernel,
  { principal, redrivenFrom }: Speaker,
  name: string,
): SessionRow | undefined {
  if (redrivenFrom !== undefined) {
    return kernel.sql.one<SessionRow>("SELECT id, turns FROM session WHERE id = ?", name);
  }
  const query = isId("session", name)
    ? "SELECT id, turns FROM session WHERE principal = ? AND id = ?"
    : "SELECT id, turns FROM session WHERE principal = ? AND client_key = ?";
  return kernel.sql.one<SessionRow>(query, principal, name);
}
