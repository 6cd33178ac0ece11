import type { EventName, InvocationEvent } from "../../core/invocations/contract.ts";
import { pack, unpack } from "./content.ts";
import type { Sql } from "./sql.ts";

/** An event before it has its number. */
export type Fact = readonly [event: EventName, data: Readonly<Record<string, unknown>>];

/**
 * The event log of invocations: a row holds the events of one transaction, numbered from `seq`.
 *
 * A5: a reader is shown only what a row holds, so an event is stored before it is sent.
 */
export function appendEvents(
  sql: Sql,
  invocationId: string,
  seq: number,
  facts: readonly Fact[],
  atMs: number,
): void {
  const delta = facts.every(([event]) => event === "message.delta");
  const body = pack(sql, `${invocationId}/event/${seq}`, JSON.stringify(facts));
  sql.run(
    "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?)",
    invocationId,
    seq,
    facts.length,
    delta ? 1 : 0,
    atMs,
    body,
  );
}

/** The number the next event of an invocation gets. */
export function nextSeq(sql: Sql, invocationId: string): number {
  const last = sql.one<{ seq: number; count: number }>(
    "SELECT seq, count FROM event WHERE invocation_id = ? ORDER BY seq DESC LIMIT 1",
    invocationId,
  );
  return last ? last.seq + last.count : 1;
}

/**
 * Stored events after number `after`, in order; at most `rows` rows of them, so a long log is
 * read in bounded pieces.
 */
export function readEvents(
  sql: Sql,
  invocationId: string,
  after: number,
  rows = 64,
): InvocationEvent[] {
  const found = sql.all<{ seq: number; body: string }>(
    `SELECT seq, body FROM event
     WHERE invocation_id = ? AND seq + count > ? ORDER BY seq LIMIT ?`,
    invocationId,
    after + 1,
    rows,
  );
  const events: InvocationEvent[] = [];
  for (const row of found) {
    const facts = JSON.parse(unpack(sql, row.body)) as (Fact | null)[];
    facts.forEach((fact, index) => {
      if (!fact || row.seq + index <= after) return;
      events.push({ seq: row.seq + index, event: fact[0], data: fact[1] });
    });
  }
  return events;
}

/** Deltas are kept an hour after the end (DECISIONS 18); the completed message stays. */
export const DELTA_RETENTION_MS = 3_600_000;

/** Drop the deltas of invocations that ended before `beforeMs`, at most `limit` of them. */
export function dropDeltas(sql: Sql, beforeMs: number, limit: number): void {
  const ended = sql.all<{ id: string }>(
    "SELECT id FROM invocation WHERE deltas = 1 AND completed_ms < ? ORDER BY completed_ms LIMIT ?",
    beforeMs,
    limit,
  );
  for (const { id } of ended) {
    blankDeltas(sql, id);
    sql.run(
      `DELETE FROM content WHERE ref IN (
         SELECT substr(body, 2) FROM event
         WHERE invocation_id = ? AND delta = 1 AND body LIKE '@%')`,
      id,
    );
    sql.run("DELETE FROM event WHERE invocation_id = ? AND delta = 1", id);
    sql.run("UPDATE invocation SET deltas = 0 WHERE id = ?", id);
  }
}

/** The last words of an answer share a row with what follows from them: null keeps the numbers. */
function blankDeltas(sql: Sql, invocationId: string): void {
  const mixed = sql.all<{ seq: number; body: string }>(
    "SELECT seq, body FROM event WHERE invocation_id = ? AND delta = 0",
    invocationId,
  );
  for (const { seq, body } of mixed) {
    const facts = JSON.parse(unpack(sql, body)) as (Fact | null)[];
    const kept = facts.map((fact) => (fact?.[0] === "message.delta" ? null : fact));
    if (!kept.includes(null)) continue;
    const ref = `${invocationId}/event/${seq}`;
    sql.run("DELETE FROM content WHERE ref = ?", ref);
    sql.run(
      "UPDATE event SET body = ? WHERE invocation_id = ? AND seq = ?",
      pack(sql, ref, JSON.stringify(kept)),
      invocationId,
      seq,
    );
  }
}
