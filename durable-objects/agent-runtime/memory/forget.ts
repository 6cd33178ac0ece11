/**
 * Forgetting: an item, or all that is about a subject, out of every place it has come to.
 *
 * O1  Items, documents, their passages, vectors and index entries go.
 * O2  Turns in which it was learned, or which were told of it, lose what was said in them, and so do
 *     those that repeat them or were forked from them: their rows stay, as what was used and owed,
 *     but no history, replay or export has their words.
 * O3  Summaries made from such turns go, with every later one of the session; the next turn that
 *     needs one makes it anew from what is left.
 * O4  A turn that is still open keeps what it was told until it has ended, and no later turn of the
 *     agent begins before it has lost it.
 */
import type { Forgotten } from "../../../core/memories/contract.ts";
import type { Sql } from "../sql.ts";

/** In `recalled`, owner of the links of open turns whose words are to go (O4). */
const DUE = "";

export type Target = { readonly subject: string } | { readonly id: string };

/** In one transaction of the caller's. Again it is no error: nothing is left to be counted. */
export function forget(sql: Sql, target: Target): Forgotten {
  const owners = ownersOf(sql, target);
  const turns = turnsOf(sql, owners);
  if ("subject" in target) owners.push(...derived(sql, turns, target.subject));
  const count = (table: string) => owners.filter((id) => id.startsWith(table)).length;
  const passages = owners.reduce((sum, id) => sum + passagesOf(sql, id), 0);
  for (const id of owners) drop(sql, id);
  let summaries = 0;
  for (const id of turns) summaries += loseWords(sql, id);
  return {
    memories: count("mry_"),
    documents: count("doc_"),
    passages,
    turns: turns.length,
    summaries,
  };
}

/** O4: of those that have ended since. Asked before a turn of an agent with a memory begins. */
export function settleForgotten(sql: Sql): void {
  const ended = sql.all<{ id: string }>(
    `SELECT i.id FROM recalled r JOIN invocation i ON i.id = r.invocation_id
     WHERE r.owner = ? AND i.completed_ms IS NOT NULL LIMIT 100`,
    DUE,
  );
  if (ended.length === 0) return;
  sql.transaction(() => {
    for (const { id } of ended) loseWords(sql, id);
  });
}

function ownersOf(sql: Sql, target: Target): string[] {
  if ("id" in target) {
    const known = sql.one("SELECT 1 FROM passage WHERE owner = ?", target.id);
    return known ? [target.id] : [];
  }
  return sql
    .all<{ owner: string }>("SELECT DISTINCT owner FROM passage WHERE subject = ?", target.subject)
    .map(({ owner }) => owner);
}

/**
 * Where these were learned, and what was told of them; and what went on from such a turn, or was
 * asked what it was asked: that took over its words, and is linked to nothing by itself.
 */
function turnsOf(sql: Sql, owners: readonly string[]): readonly string[] {
  return sql
    .all<{ id: string }>(
      `WITH RECURSIVE later (id, origin) AS MATERIALIZED (
         SELECT id, redriven_from FROM invocation WHERE redriven_from IS NOT NULL
         UNION SELECT id, branch ->> '$.from' FROM invocation WHERE branch IS NOT NULL),
       turn (id) AS (
         SELECT m.source FROM memory m
           WHERE m.source IS NOT NULL AND m.id IN (SELECT value FROM json_each(?1))
         UNION SELECT r.invocation_id FROM recalled r
           WHERE r.owner IN (SELECT value FROM json_each(?1))
         UNION SELECT later.id FROM turn JOIN later ON later.origin = turn.id)
       SELECT id FROM turn`,
      JSON.stringify(owners),
    )
    .map(({ id }) => id);
}

/** What was noted down in such a turn and names the subject, whatever it was filed under. */
function derived(sql: Sql, turns: readonly string[], subject: string): readonly string[] {
  const name = subject.toLowerCase();
  return sql
    .all<{ id: string; text: string; subject: string | null }>(
      `SELECT m.id, p.text, p.subject FROM memory m JOIN passage p ON p.owner = m.id
       WHERE m.source IN (SELECT value FROM json_each(?))`,
      JSON.stringify(turns),
    )
    .filter((row) => row.subject !== subject && row.text.toLowerCase().includes(name))
    .map(({ id }) => id);
}

function passagesOf(sql: Sql, id: string): number {
  return sql.one<{ n: number }>("SELECT count(*) AS n FROM passage WHERE owner = ?", id)?.n ?? 0;
}

function drop(sql: Sql, id: string): void {
  sql.run("DELETE FROM passage WHERE owner = ?", id);
  sql.run("DELETE FROM memory WHERE id = ?", id);
  sql.run("DELETE FROM document WHERE id = ?", id);
  sql.run("DELETE FROM recalled WHERE owner = ?", id);
}

type TurnRow = {
  readonly session_id: string;
  readonly turn: number;
  readonly completed_ms: number | null;
};

/** What belongs to a turn beside its own row and steps, and has words in it. */
const BESIDE = ["event", "approval", "callback", "amendment", "recalled"];

/**
 * O2 and O3 for one turn. What it used, cost and was hashed to stays until it is owed no more; to
 * readers it is gone as what retention erased is.
 *
 * @returns summaries that went
 */
function loseWords(sql: Sql, id: string): number {
  const row = sql.one<TurnRow>(
    "SELECT session_id, turn, completed_ms FROM invocation WHERE id = ?",
    id,
  );
  if (row === undefined) return 0;
  if (row.completed_ms === null) {
    sql.run("INSERT OR IGNORE INTO recalled VALUES (?, ?)", DUE, id);
    return 0;
  }
  sql.run("DELETE FROM content WHERE ref >= ? AND ref < ?", `${id}/`, `${id}0`);
  for (const table of BESIDE) sql.run(`DELETE FROM ${table} WHERE invocation_id = ?`, id);
  sql.run("UPDATE step SET input = NULL, output = NULL WHERE invocation_id = ?", id);
  sql.run(
    `UPDATE invocation SET input = '=""', output = NULL, error = NULL, metadata = NULL,
       first_output = NULL, tokens = 0, deltas = 0, opening = NULL, closing = NULL, erased = 7
     WHERE id = ?`,
    id,
  );
  return dropSummaries(sql, row.session_id, row.turn);
}

/** Those the turn is part of, with the words of the steps that made them. */
function dropSummaries(sql: Sql, sessionId: string, turn: number): number {
  const gone = sql.all<{ invocation_id: string }>(
    "DELETE FROM summary WHERE session_id = ? AND through > ? RETURNING invocation_id",
    sessionId,
    turn,
  );
  for (const { invocation_id: id } of gone) {
    sql.run("UPDATE step SET output = NULL WHERE invocation_id = ? AND key LIKE 'compact.%'", id);
  }
  return gone.length;
}
