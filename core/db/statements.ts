/** The pieces of SQL that both engines must read alike. */
import { type SQL, getTableColumns, sql } from "drizzle-orm";
import type { BatchItem } from "drizzle-orm/batch";
import type {
  IndexColumn,
  SQLiteColumn,
  SQLiteInsertValue,
  SQLiteTable,
} from "drizzle-orm/sqlite-core";
import type { Db } from "./scope.ts";

/**
 * Columns as an upsert target. Drizzle prints `"table"."column"` there, which SQLite reads and
 * Postgres refuses; this prints the bare identifier.
 */
export function target(...columns: readonly SQLiteColumn[]): IndexColumn[] {
  // The builder only prints what it is given, so an identifier serves where it asks for a column.
  return columns.map((column) => sql.identifier(column.name) as unknown as SQLiteColumn);
}

/** The value an upsert tried to insert, for `set`. */
export function excluded(column: SQLiteColumn): SQL {
  return sql`excluded.${sql.identifier(column.name)}`;
}

/**
 * `INSERT … SELECT`: one row of values and of columns of `from`, for each row that `where` finds;
 * `from` null: once, if `where` is true.
 *
 * The way a batch does not half-apply on D1 (DECISIONS 26): a guarded statement that missed leaves
 * nothing for `where` to find, so what depends on it is not written either.
 *
 * @param once  At most one row, however many `where` finds.
 */
export function insertWhere<T extends SQLiteTable>(
  db: Db,
  table: T,
  row: SQLiteInsertValue<T>,
  from: SQLiteTable | null,
  where: SQL | undefined,
  once = false,
) {
  const values: Record<string, unknown> = row;
  const cells = Object.entries(getTableColumns(table)).map(([key, column]) => {
    const value = values[key] ?? null;
    if (value === null) return sql`null`;
    return isSql(value) ? sql`${value}` : sql`${sql.param(value, column)}`;
  });
  const source = from === null ? sql`` : sql` from ${from}`;
  const condition = where ?? sql`1 = 1`;
  const limit = once ? sql` limit 1` : sql``;
  return db
    .insert(table)
    .select(sql`select ${sql.join(cells, sql`, `)}${source} where ${condition}${limit}`);
}

/** A batch of any number of statements; none is no round trip. */
export async function runAll(db: Db, statements: readonly BatchItem<"sqlite">[]): Promise<void> {
  const [first, ...rest] = statements;
  if (first !== undefined) await db.batch([first, ...rest]);
}

function isSql(value: unknown): value is SQL {
  return typeof value === "object" && value !== null && "getSQL" in value;
}
