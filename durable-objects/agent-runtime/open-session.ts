import { isId, newId } from "../../core/ids.ts";
import { refuse, type Refusal } from "../../core/problem.ts";
import type { Addressed } from "../../core/deployments/homes.ts";
import { findByKey } from "./invocations.ts";
import type { Kernel } from "./kernel.ts";
import type { Sql } from "./sql.ts";

/** A session about to take a turn; nothing is written until `take`. */
export type OpenSession = {
  readonly ok: true;
  readonly id: string;
  readonly turn: number;
  /** No earlier turn is open. */
  readonly free: boolean;
  /** Makes the session's row; present when it is new and has a name of its own. */
  readonly take?: () => void;
};

/** Who speaks, and in which session: a `ses_` id, a name of the principal's own, or a new one. */
export type Speaker = {
  readonly principal: string;
  readonly sessionId?: string;
  /** Present: `sessionId` is that of the invocation to be repeated, whoever began it. */
  readonly redrivenFrom?: string;
};

type Known = { readonly id: string; readonly turns: number; readonly busy: 0 | 1 };

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
  const name = speaker.sessionId;
  const row = name === undefined ? undefined : findSession(kernel, speaker, name);
  if (row) {
    return {
      ok: true,
      id: row.id,
      turn: row.turns,
      free: row.busy === 0,
    };
  }
  if (name !== undefined && isId("session", name)) {
    return refuse("not_found", "no such session", {
      errors: [{ pointer: "/session_id", detail: "no such session" }],
    });
  }
  const id = newId("session", nowMs, tag);
  const found = { ok: true, id, turn: 0, free: true } as const;
  if (name === undefined) return found;
  return { ...found, take: () => insertSession(kernel, id, speaker.principal, name, nowMs) };
}

/** A session that is more than its turns: one with a name, or a socket before anything is said. */
export function insertSession(
  kernel: Kernel,
  id: string,
  principal: string,
  clientKey: string | null,
  nowMs: number,
): void {
  kernel.sql.run("INSERT INTO session VALUES (?, ?, ?, ?)", id, principal, clientKey, nowMs);
}

/** Has this object the session of that name, or else the request of that key? */
export function knows(sql: Sql, { principal, sessionId, idempotencyKey }: Addressed): boolean {
  if (sessionId !== undefined) {
    const named = "SELECT 1 FROM session WHERE principal = ? AND client_key = ?";
    return sql.one(named, principal, sessionId) !== undefined;
  }
  if (idempotencyKey === undefined) return false;
  const joined = "SELECT 1 FROM joined WHERE principal = ? AND idem = ?";
  return (
    findByKey(sql, principal, idempotencyKey) !== undefined ||
    sql.one(joined, principal, idempotencyKey) !== undefined
  );
}

/**
 * One without a name or a socket has no row: it is its turns, and its first speaker's. That turn may
 * be erased by now; what repeats a turn may be somebody else's.
 */
function findSession(
  { sql }: Kernel,
  { principal, redrivenFrom }: Speaker,
  name: string,
): Known | undefined {
  if (redrivenFrom !== undefined) {
    return sql.one<Known>(`SELECT ${KNOWN} FROM (SELECT ?1 AS id) s`, name);
  }
  if (!isId("session", name)) {
    const named = "session s WHERE s.principal = ?1 AND s.client_key = ?2";
    return sql.one<Known>(`SELECT ${KNOWN} FROM ${named}`, principal, name);
  }
  return sql.one<Known>(
    `SELECT ${KNOWN} FROM (
       SELECT id FROM (SELECT session_id AS id, principal FROM invocation
         WHERE session_id = ?2 AND redriven_from IS NULL ORDER BY turn LIMIT 1) WHERE principal = ?1
       UNION SELECT id FROM session WHERE id = ?2 AND principal = ?1) s`,
    principal,
    name,
  );
}

const KNOWN = `s.id,
  (SELECT coalesce(max(turn) + 1, 0) FROM invocation WHERE session_id = s.id) AS turns,
  EXISTS (SELECT 1 FROM invocation WHERE pending = 1 AND session_id = s.id) AS busy`;
