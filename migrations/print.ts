/**
 * The schema as SQL, from the tables of core/, for each engine.
 *
 * drizzle-kit prints one dialect for one kind of table; ours are declared once and run on two. The
 * portable part is small: text and integer columns, one primary key, indexes with an optional
 * condition. Postgres adds what D1 has not: row level security, forced on the owner too, with one
 * policy on every table.
 */
import { SQL, getTableName } from "drizzle-orm";
import type { Step } from "./difference.ts";
import {
  SQLiteAsyncDialect,
  type SQLiteColumn,
  type SQLiteTable,
  getTableConfig,
} from "drizzle-orm/sqlite-core";

/** The role that statements run under on Postgres; it has no BYPASSRLS. */
export const APP_ROLE = "berth_app";

/** Between statements, for drivers that take one at a time. To SQL it is a comment. */
export const BREAKPOINT = "--> statement-breakpoint";

export function sqliteSteps(steps: readonly Step[]): readonly string[] {
  const types = { text: "text", integer: "integer" };
  return steps.flatMap((step) =>
    step.kind === "table"
      ? [`${createTable(step.table, types)} STRICT`, ...createIndexes(step.table)]
      : altered(step, types),
  );
}

/** `"C"` orders text by its bytes, as SQLite does: a page is cut alike on both. */
const PG_TYPES = { text: 'text COLLATE "C"', integer: "bigint" };

/** @param first  Of an empty database, which has no role of ours yet. */
export function postgresSteps(
  steps: readonly Step[],
  tenantTable: SQLiteTable,
  first: boolean,
): readonly string[] {
  const role = [
    createRole(),
    `GRANT USAGE ON SCHEMA public TO ${APP_ROLE}`,
    // The connection's own role must be a member to take it with SET LOCAL ROLE.
    `GRANT ${APP_ROLE} TO CURRENT_USER`,
  ];
  const statements = steps.flatMap((step) =>
    step.kind === "table"
      ? [
          createTable(step.table, PG_TYPES),
          ...createIndexes(step.table),
          ...rowSecurity(step.table, step.table === tenantTable ? "id" : "tenant_id"),
        ]
      : altered(step, PG_TYPES),
  );
  return first ? [...role, ...statements] : statements;
}

/** A new column or index of a table that exists. */
function altered(
  step: Exclude<Step, { readonly kind: "table" }>,
  types: Readonly<Record<string, string>>,
): readonly string[] {
  if (step.kind === "index") return createIndexes(step.table, (name) => name === step.name);
  const table = quoted(getTableName(step.table));
  return [`ALTER TABLE ${table} ADD COLUMN ${columnLine(step.column, types)}`];
}

/** A migration file's text. */
export function migration(head: string, statements: readonly string[]): string {
  return `-- ${head}\n${statements.join(`;\n${BREAKPOINT}\n`)};\n`;
}

function createTable(table: SQLiteTable, types: Readonly<Record<string, string>>): string {
  const { columns, primaryKeys } = getTableConfig(table);
  const lines = columns.map((column) => columnLine(column, types));
  const key = primaryKeys.at(0)?.columns ?? columns.filter((column) => column.primary);
  lines.push(`PRIMARY KEY (${names(key)})`);
  return `CREATE TABLE ${quoted(getTableName(table))} (\n  ${lines.join(",\n  ")}\n)`;
}

function columnLine(column: SQLiteColumn, types: Readonly<Record<string, string>>): string {
  const type = types[column.getSQLType()];
  if (type === undefined) throw new Error(`${column.name}: ${column.getSQLType()} is not portable`);
  return `${quoted(column.name)} ${type}${column.notNull ? " NOT NULL" : ""}`;
}

function createIndexes(
  table: SQLiteTable,
  wanted: (name: string) => boolean = () => true,
): readonly string[] {
  const indexes = getTableConfig(table).indexes.filter(({ config }) => wanted(config.name));
  return indexes.map(({ config }) => {
    const columns = config.columns.map((column) => {
      if (column instanceof SQL) throw new Error(`${config.name}: expressions are not portable`);
      return column;
    });
    const kind = config.unique ? "UNIQUE INDEX" : "INDEX";
    const on = `${quoted(getTableName(table))} (${names(columns)})`;
    const where = config.where === undefined ? "" : ` WHERE ${condition(config.where)}`;
    return `CREATE ${kind} ${quoted(config.name)} ON ${on}${where}`;
  });
}

/**
 * A row is seen and written by its tenant's transactions and by the platform's. Outside a
 * transaction of ours both settings are absent (null) or left empty, and nothing is.
 */
function rowSecurity(table: SQLiteTable, tenantColumn: string): readonly string[] {
  const name = quoted(getTableName(table));
  const mine = `${tenantColumn} = current_setting('app.tenant_id', true)`;
  const platform = "current_setting('app.platform', true) = 'on'";
  return [
    `ALTER TABLE ${name} ENABLE ROW LEVEL SECURITY`,
    `ALTER TABLE ${name} FORCE ROW LEVEL SECURITY`,
    `CREATE POLICY tenant_wall ON ${name} USING (${mine} OR ${platform}) WITH CHECK (${mine} OR ${platform})`,
    `GRANT SELECT, INSERT, UPDATE, DELETE ON ${name} TO ${APP_ROLE}`,
  ];
}

function createRole(): string {
  return [
    "DO $$ BEGIN",
    `  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${APP_ROLE}') THEN`,
    `    CREATE ROLE ${APP_ROLE} NOLOGIN NOSUPERUSER NOBYPASSRLS;`,
    "  END IF;",
    "END $$",
  ].join("\n");
}

function condition(where: SQL): string {
  const { sql, params } = new SQLiteAsyncDialect().sqlToQuery(where);
  if (params.length > 0) throw new Error("an index condition takes no parameters");
  return sql;
}

function names(columns: readonly SQLiteColumn[]): string {
  return columns.map((column) => quoted(column.name)).join(", ");
}

function quoted(identifier: string): string {
  return `"${identifier}"`;
}
