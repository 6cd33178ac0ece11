/**
 * Many rows in one statement.
 *
 * SQLite takes them as one JSON list, whatever their number: D1 allows 100 bound parameters, and
 * building and binding a list of values costs more than the rows themselves (150 µs each, measured
 * on the ledger). Postgres takes a list of values.
 */
import { type SQL, getTableColumns, sql } from "drizzle-orm";
import type { SQLiteColumn, SQLiteTable } from "drizzle-orm/sqlite-core";
import type { TenantScope } from "./scope.ts";

const fromJson = new WeakMap<SQLiteTable, SQL>();

/**
 * An insert of `rows`, at least one and each key once, for the caller to say `onConflict…` of.
 *
 * @param rows  At most some thousands: Postgres takes 65,535 parameters.
 */
export function insertRows<T extends SQLiteTable>(
  { db, engine }: TenantScope,
  table: T,
  rows: readonly T["$inferInsert"][],
) {
  if (engine === "postgres") return db.insert(table).values([...rows]);
  const columns = Object.entries<SQLiteColumn>(getTableColumns(table));
  const cells = rows.map((row) => {
    const values: Record<string, unknown> = row;
    return columns.map(([name, column]) => {
      const value = values[name] ?? null;
      return value === null ? null : column.mapToDriverValue(value);
    });
  });
  const source = sql`json_each(${JSON.stringify(cells)})`;
  // `where true`: without it SQLite would take `on conflict` for a join's.
  return db.insert(table).select(sql`${cellsOf(table, columns.length)} from ${source} where true`);
}

/** `select` each column out of one row of the list; built once for a table. */
function cellsOf(table: SQLiteTable, count: number): SQL {
  let cells = fromJson.get(table);
  if (cells === undefined) {
    const paths = Array.from({ length: count }, (_, i) => `json_extract(value, '$[${i}]')`);
    cells = sql.raw(`select ${paths.join(", ")}`);
    fromJson.set(table, cells);
  }
  return cells;
}
