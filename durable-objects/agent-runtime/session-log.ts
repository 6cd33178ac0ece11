import { placeOf, type Place } from "../../core/sessions/frames.ts";
import { lastSeq } from "./events.ts";
import type { Kernel } from "./kernel.ts";

/** The invocation that is a session's turn `turn`, if it has come to it. */
export function invocationAt({ sql }: Kernel, sessionId: string, turn: number): string | undefined {
  return sql.one<{ id: string }>(
    "SELECT id FROM invocation WHERE session_id = ? AND turn = ?",
    sessionId,
    turn,
  )?.id;
}

/** The first turn from `turn` on that is there: those before it may have been erased. */
export function turnFrom(
  { sql }: Kernel,
  sessionId: string,
  turn: number,
): { readonly id: string; readonly turn: number } | undefined {
  return sql.one(
    "SELECT id, turn FROM invocation WHERE session_id = ? AND turn >= ? ORDER BY turn LIMIT 1",
    sessionId,
    turn,
  );
}

/** Where a socket begins that asks for nothing: before the first open turn, or after the last. */
export function endOf(kernel: Kernel, sessionId: string): Place {
  const open = kernel.sql.one<{ turn: number | null }>(
    "SELECT min(turn) AS turn FROM invocation WHERE pending = 1 AND session_id = ?",
    sessionId,
  );
  return { turn: open?.turn ?? turnsOf(kernel, sessionId), seq: 0 };
}

/** The place a client means by `seq`; undefined when the session has not come so far. */
export function placeIn(kernel: Kernel, sessionId: string, seq: number): Place | undefined {
  const place = placeOf(seq);
  if (place.seq === 0) return place.turn <= turnsOf(kernel, sessionId) ? place : undefined;
  const id = invocationAt(kernel, sessionId, place.turn);
  return id !== undefined && place.seq <= lastSeq(kernel.sql, id) ? place : undefined;
}

/** Whose session it is: `Principal.id`. */
export function speakerOf({ sql }: Kernel, sessionId: string): string {
  const row = sql.one<{ principal: string }>(
    "SELECT principal FROM session WHERE id = ?",
    sessionId,
  );
  if (!row) throw new Error("a socket's session has no row");
  return row.principal;
}

/** The session an invocation is a turn of. */
export function sessionOf({ sql }: Kernel, invocationId: string): string | undefined {
  return sql.one<{ session_id: string }>(
    "SELECT session_id FROM invocation WHERE id = ?",
    invocationId,
  )?.session_id;
}

function turnsOf({ sql }: Kernel, sessionId: string): number {
  const row = sql.one<{ turns: number }>(
    "SELECT coalesce(max(turn) + 1, 0) AS turns FROM invocation WHERE session_id = ?",
    sessionId,
  );
  return row?.turns ?? 0;
}
