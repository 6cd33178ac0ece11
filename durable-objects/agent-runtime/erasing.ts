/**
 * What of an invocation goes, and from where. All of it by id, many at once; within the caller's
 * transaction.
 */
import { refuse } from "../../core/problem.ts";
import type { InvocationRow } from "./invocations.ts";
import type { Sql } from "./sql.ts";

/** What is gone of an invocation, as bits of its `erased`. */
export const GONE = { events: 1, journals: 2, content: 4 } as const;

/** What a key or an id still stands for, and all that is left of it. */
export const ERASED = refuse(
  "content_erased",
  "it was forgotten, or kept as long as the tenant wanted",
);

export type Doomed = Pick<InvocationRow, "id" | "session_id" | "idem" | "erased" | "tat_us">;

/** Is this of the invocation gone? */
export function isGone(row: Pick<InvocationRow, "erased">, what: keyof typeof GONE): boolean {
  return ((row.erased ?? 0) & (GONE[what] | GONE.content)) !== 0;
}

/** Its journal is there, and every turn that its requests quoted may be. */
export function canRepeat(sql: Sql, row: InvocationRow): boolean {
  if (isGone(row, "journals")) return false;
  if (row.turn === 0) return true;
  const before = sql.one<{ n: number }>(
    "SELECT count(*) AS n FROM invocation WHERE session_id = ? AND turn < ? AND coalesce(erased, 0) & 4 = 0",
    row.session_id,
    row.turn,
  );
  return before?.n === row.turn || !retains(sql);
}

/** Has anything of this object ever been erased by age? */
function retains(sql: Sql): boolean {
  return sql.one("SELECT 1 FROM meta WHERE key = 'retained'") !== undefined;
}

const THESE = "(SELECT value FROM json_each(?1))";

/** The event log. */
export function eraseEvents(sql: Sql, rows: readonly Doomed[]): void {
  const ids = idsOf(rows);
  sql.run(
    `DELETE FROM content WHERE ref IN (
       SELECT substr(body, 2) FROM event WHERE invocation_id IN ${THESE} AND body LIKE '@%'
       UNION ALL SELECT substr(opening, 2) FROM invocation WHERE id IN ${THESE} AND opening LIKE '@%'
       UNION ALL SELECT substr(closing, 2) FROM invocation WHERE id IN ${THESE} AND closing LIKE '@%')`,
    ids,
  );
  sql.run(`DELETE FROM event WHERE invocation_id IN ${THESE}`, ids);
  sql.run(
    `UPDATE invocation SET opening = NULL, closing = NULL, deltas = 0,
       erased = coalesce(erased, 0) | ${GONE.events} WHERE id IN ${THESE}`,
    ids,
  );
}

/** What steps were given and gave; that they were, what they cost and their hashes stay. */
export function eraseJournals(sql: Sql, rows: readonly Doomed[]): void {
  const ids = idsOf(rows);
  sql.run(
    `DELETE FROM content WHERE ref IN (
       SELECT substr(input, 2) FROM step WHERE invocation_id IN ${THESE} AND input LIKE '@%'
       UNION ALL SELECT substr(output, 2) FROM step
         WHERE invocation_id IN ${THESE} AND output LIKE '@%'
       UNION ALL SELECT substr(first_output, 2) FROM invocation
         WHERE id IN ${THESE} AND first_output LIKE '@%')`,
    ids,
  );
  sql.run(`UPDATE step SET input = NULL, output = NULL WHERE invocation_id IN ${THESE}`, ids);
  eraseWaits(sql, ids);
  sql.run(
    `UPDATE invocation SET first_output = NULL,
       erased = coalesce(erased, 0) | ${GONE.journals} WHERE id IN ${THESE}`,
    ids,
  );
}

/** What people were asked about and said, and what was answered from outside. */
function eraseWaits(sql: Sql, ids: string): void {
  sql.run(
    `DELETE FROM content WHERE ref IN (SELECT substr(kept, 2) FROM (
       SELECT input AS kept FROM approval WHERE invocation_id IN ${THESE}
       UNION ALL SELECT votes FROM approval WHERE invocation_id IN ${THESE}
       UNION ALL SELECT answer FROM approval WHERE invocation_id IN ${THESE}
       UNION ALL SELECT answer FROM callback WHERE invocation_id IN ${THESE}) WHERE kept LIKE '@%')`,
    ids,
  );
  sql.run(
    `UPDATE approval SET input = '=null', votes = '=[]', answer = NULL
     WHERE invocation_id IN ${THESE}`,
    ids,
  );
  sql.run(`UPDATE callback SET answer = NULL WHERE invocation_id IN ${THESE}`, ids);
}

/**
 * Everything that was said and done. Of one that was made with a key a row stays, which holds the
 * key and nothing else; of all others none (V2).
 */
export function eraseContent(
  sql: Sql,
  rows: readonly Doomed[],
  speaking: ReadonlySet<string>,
): void {
  const joined = new Set(
    sql
      .all<{ id: string }>(
        `SELECT DISTINCT invocation_id AS id FROM joined WHERE invocation_id IN ${THESE}`,
        idsOf(rows),
      )
      .map(({ id }) => id),
  );
  const [keyed, others] = [rows.filter(isKeyed), rows.filter((row) => !isKeyed(row))];
  eraseRows(sql, others, speaking);
  const ids = idsOf(keyed);
  sweepBeside(sql, ids);
  sql.run(
    `UPDATE invocation SET input = '=""', output = NULL, error = NULL, metadata = NULL,
       opening = NULL, closing = NULL, deltas = 0, first = NULL, first_output = NULL, branch = NULL,
       erased = ${GONE.events | GONE.journals | GONE.content} WHERE id IN ${THESE}`,
    ids,
  );

  function isKeyed({ id, idem }: Doomed): boolean {
    return idem !== null || joined.has(id);
  }
}

/** The rows themselves, the keys that led to them, and sessions that nothing is left of. */
export function eraseRows(sql: Sql, rows: readonly Doomed[], speaking: ReadonlySet<string>): void {
  const ids = idsOf(rows);
  sweepBeside(sql, ids);
  sql.run(`DELETE FROM joined WHERE invocation_id IN ${THESE}`, ids);
  sql.run(`DELETE FROM invocation WHERE id IN ${THESE}`, ids);
  const sessions = new Set(rows.map((row) => row.session_id)).difference(speaking);
  eraseEmptySessions(sql, [...sessions]);
}

/** Of these sessions those that have no turn left. */
export function eraseEmptySessions(sql: Sql, sessions: readonly string[]): void {
  sql.run(
    `DELETE FROM session WHERE id IN ${THESE}
       AND NOT EXISTS (SELECT 1 FROM invocation WHERE session_id = session.id)`,
    JSON.stringify(sessions),
  );
}

/** Tables that hold what belongs to one invocation, beside its own row. */
export const BESIDE = [
  "event",
  "step",
  "approval",
  "callback",
  "amendment",
  "ending",
  "gathering",
  "lineage",
  "parked",
  "recalled",
  "summary",
] as const;

function sweepBeside(sql: Sql, ids: string): void {
  // All that is packed of an invocation is named by its id and a slash; `0` is the next character.
  sql.run(
    `DELETE FROM content WHERE ref IN (SELECT c.ref FROM json_each(?1) t
       JOIN content c ON c.ref >= t.value || '/' AND c.ref < t.value || '0')`,
    ids,
  );
  for (const table of BESIDE) {
    sql.run(`DELETE FROM ${table} WHERE invocation_id IN ${THESE}`, ids);
  }
}

function idsOf(rows: readonly Doomed[]): string {
  return JSON.stringify(rows.map(({ id }) => id));
}
