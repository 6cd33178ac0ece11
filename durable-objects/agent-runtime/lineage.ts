import { isId } from "../../core/ids.ts";
import type { InvocationRow } from "./invocations.ts";
import type { Sql } from "./sql.ts";

/** Write which invocations led to this one; in the transaction that accepts it. */
export function writeLineage(sql: Sql, invocationId: string, parents: readonly string[]): void {
  sql.run("INSERT INTO lineage VALUES (?, ?)", invocationId, JSON.stringify(parents));
}

/** The same, the first one first; nothing is asked for one that somebody sent. */
export function lineageOf(sql: Sql, row: Pick<InvocationRow, "id" | "principal">): string[] {
  if (!isId("schedule", row.principal)) return [];
  const found = sql.one<{ parents: string }>(
    "SELECT parents FROM lineage WHERE invocation_id = ?",
    row.id,
  );
  return found ? (JSON.parse(found.parents) as string[]) : [];
}
