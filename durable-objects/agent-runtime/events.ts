import type { EventName, InvocationEvent } from "../../core/invocations/contract.ts";
import { dropChunks, pack, unpack } from "./content.ts";
import type { Sql } from "./sql.ts";

/** An event before it has its number. */
export type Fact = readonly [event: EventName, data: Readonly<Record<string, unknown>>];

/**
 * The event log of an invocation: those of its accept and of its end stand in its own row
 * (`opening`, `closing`), written with it; those between are rows of `event`, each with the events
 * of one transaction, numbered from `seq`.
 *
 * A5: a reader is shown only what is stored, so an event is stored before it is sent.
 */
export function appendEvents(
  sql: Sql,
  invocationId: string,
  seq: number,
  facts: readonly Fact[],
  atMs: number,
): void {
  const delta = facts.every(([event]) => event === "message.delta");
  sql.run(
    "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?)",
    invocationId,
    seq,
    facts.length,
    delta ? 1 : 0,
    atMs,
    packEvents(sql, invocationId, seq, facts),
  );
}

/** Events as a column keeps them. */
export function packEvents(
  sql: Sql,
  invocationId: string,
  seq: number,
  facts: readonly (Fact | null)[],
): string {
  return pack(sql, `${invocationId}/event/${seq}`, JSON.stringify(facts));
}

/** The number the next event of an open invocation gets. */
export function nextSeq(sql: Sql, invocationId: string): number {
  const last = sql.one<{ next: number | null }>(
    `SELECT coalesce(
       (SELECT seq + count FROM event WHERE invocation_id = ?1 ORDER BY seq DESC LIMIT 1),
       (SELECT opened + 1 FROM invocation WHERE id = ?1)) AS next`,
    invocationId,
  );
  return last?.next ?? 1;
}

/** The number of the last event stored of an invocation; 0 before the first. */
export function lastSeq(sql: Sql, invocationId: string): number {
  return readEvents(sql, invocationId, nextSeq(sql, invocationId) - 2).at(-1)?.seq ?? 0;
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
    `SELECT 1 AS seq, opening AS body FROM invocation
       WHERE id = ?1 AND opened >= ?2 AND opening IS NOT NULL
     UNION ALL SELECT seq, body FROM event WHERE invocation_id = ?1 AND seq + count > ?2
     UNION ALL SELECT closed, closing FROM invocation WHERE id = ?1 AND closing IS NOT NULL
     ORDER BY 1 LIMIT ?3`,
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

/** The last words of an answer stand beside what follows from them: null keeps the numbers. */
function blankDeltas(sql: Sql, invocationId: string): void {
  const mixed = sql.all<{ seq: number; body: string }>(
    `SELECT seq, body FROM event WHERE invocation_id = ?1 AND delta = 0
     UNION ALL SELECT closed, closing FROM invocation WHERE id = ?1 AND closing IS NOT NULL`,
    invocationId,
  );
  for (const { seq, body } of mixed) {
    const facts = JSON.parse(unpack(sql, body)) as (Fact | null)[];
    const kept = facts.map((fact) => (fact?.[0] === "message.delta" ? null : fact));
    if (!kept.includes(null)) continue;
    dropChunks(sql, body);
    const packed = packEvents(sql, invocationId, seq, kept);
    sql.run(
      "UPDATE event SET body = ?1 WHERE invocation_id = ?2 AND seq = ?3",
      packed,
      invocationId,
      seq,
    );
    sql.run(
      "UPDATE invocation SET closing = ?1 WHERE id = ?2 AND closed = ?3",
      packed,
      invocationId,
      seq,
    );
  }
}
