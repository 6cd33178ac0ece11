/**
 * What leads from the migrations there are to the tables there should be.
 *
 * Additive steps alone: a table, a column, an index. While a deploy spreads, old and new code run
 * side by side on one schema, so nothing is renamed, narrowed or dropped in the release that stops
 * using it.
 */
import { DatabaseSync } from "node:sqlite";
import { getTableName } from "drizzle-orm";
import { type SQLiteColumn, type SQLiteTable, getTableConfig } from "drizzle-orm/sqlite-core";

/** Columns by table, and the names of all indexes. */
export type Schema = {
  readonly tables: ReadonlyMap<string, ReadonlySet<string>>;
  readonly indexes: ReadonlySet<string>;
};

export type Step =
  | { readonly kind: "table"; readonly table: SQLiteTable }
  | { readonly kind: "column"; readonly table: SQLiteTable; readonly column: SQLiteColumn }
  | { readonly kind: "index"; readonly table: SQLiteTable; readonly name: string };

/** The schema that migrations of D1 come to. */
export function schemaOf(migrations: readonly string[]): Schema {
  const db = new DatabaseSync(":memory:");
  for (const text of migrations) db.exec(text);
  const names = (type: string) =>
    db
      .prepare("select name from sqlite_schema where type = ? and sql is not null")
      .all(type)
      .map(({ name }) => String(name));
  const columns = (table: string) =>
    db
      .prepare("select name from pragma_table_info(?)")
      .all(table)
      .map(({ name }) => String(name));
  return {
    tables: new Map(names("table").map((table) => [table, new Set(columns(table))])),
    indexes: new Set(names("index")),
  };
}

/** @throws Error  for a column that is not null or part of a key in a table that exists. */
export function stepsTo(tables: readonly SQLiteTable[], known: Schema): readonly Step[] {
  return tables.flatMap((table): readonly Step[] => {
    const columns = known.tables.get(getTableName(table));
    if (columns === undefined) return [{ kind: "table", table }];
    const config = getTableConfig(table);
    const added = config.columns.filter((column) => !columns.has(column.name));
    for (const column of added) {
      if (column.notNull || column.primary) {
        throw new Error(`${config.name}.${column.name}: a new column of an old table may be null`);
      }
    }
    const indexes = config.indexes.filter(({ config: { name } }) => !known.indexes.has(name));
    return [
      ...added.map((column) => ({ kind: "column" as const, table, column })),
      ...indexes.map((index) => ({ kind: "index" as const, table, name: index.config.name })),
    ];
  });
}
