/**
 * An object's rows on their way to another platform and in from one: every table it has but those
 * left behind, in the order of name and key, a bounded number of bytes at a time. For an agent's
 * object and a tenant's gate alike.
 *
 * X1  Names of tables and columns in a statement come from this object's own schema, never from
 *     what is brought in.
 * X2  Rows come into an object that was fresh when the first of them came.
 */
import { refuse, type Refusal } from "../../core/problem.ts";
import type { ObjectCursor, ObjectPage, ObjectRow } from "./contract.ts";
import type { Sql, Value } from "./sql.ts";

/** Above this a page ends; one row may be over it. */
const PAGE_UNITS = 512 * 1024;
const PAGE_ROWS = 500;

type Column = { readonly name: string; readonly type: string; readonly pk: number };

/** Rows after `cursor`, with where to go on; no `next` on the last page. */
export function exportRows(
  sql: Sql,
  leftBehind: readonly string[],
  cursor: ObjectCursor | undefined,
): ObjectPage {
  const tables = tablesOf(sql, leftBehind).filter(
    (name) => cursor === undefined || name >= cursor.table,
  );
  const rows: ObjectRow[] = [];
  let units = 0;
  for (const table of tables) {
    const key = keyOf(sql, table);
    const after = cursor?.table === table ? cursor.after : [];
    for (const row of sql.each<Record<string, Value>>(pageOf(table, key, after), ...after)) {
      rows.push({ table, row });
      units += sizeOf(row);
      if (units < PAGE_UNITS && rows.length < PAGE_ROWS) continue;
      return { ok: true, rows, next: { table, after: key.map((name) => row[name] ?? null) } };
    }
  }
  return { ok: true, rows };
}

/**
 * Write rows another object gave out. All or none of the page.
 *
 * @param readable  Says of a row whose columns have their types whether what they hold can be read.
 */
export function importRows(
  sql: Sql,
  leftBehind: readonly string[],
  rows: readonly ObjectRow[],
  readable: (row: ObjectRow) => boolean = () => true,
): { readonly ok: true } | Refusal {
  const tables = new Set(tablesOf(sql, leftBehind));
  const columns = new Map<string, readonly Column[]>();
  for (const arriving of rows) {
    const { table, row } = arriving;
    if (!tables.has(table))
      return refuse("invalid", `an object has no table ${table.slice(0, 60)}`);
    const known = columns.get(table) ?? columnsOf(sql, table);
    columns.set(table, known);
    if (!fits(row, known) || !readable(arriving))
      return refuse("invalid", `a row of ${table} does not fit`);
  }
  return written(sql, rows, columns);
}

function written(
  sql: Sql,
  rows: readonly ObjectRow[],
  columns: ReadonlyMap<string, readonly Column[]>,
): { readonly ok: true } | Refusal {
  try {
    sql.transaction(() => {
      for (const { table, row } of rows) {
        const names = (columns.get(table) ?? []).map(({ name }) => name);
        const places = names.map(() => "?").join(", ");
        const list = names.map(quoted).join(", ");
        const values = names.map((name) => row[name] ?? null);
        sql.run(`INSERT INTO ${quoted(table)} (${list}) VALUES (${places})`, ...values);
      }
    });
    return { ok: true };
  } catch {
    // Twice the same key, or nothing where something must be: the engine's words quote names alone,
    // and which of the rows it was does not matter to somebody whose file is broken.
    return refuse("invalid", "rows of an object break a rule of their table");
  }
}

/** The last moment there is. @source ECMA-262 §21.4.1.1 */
const LAST_MS = 8.64e15;

/** Columns of the table, each of its type, and no other; of older rows those added since may be missing. */
function fits(row: Readonly<Record<string, unknown>>, known: readonly Column[]): boolean {
  return Object.entries(row).every(([name, value]) => {
    const type = known.find((column) => column.name === name)?.type;
    if (type === undefined || value === null) return type !== undefined;
    if (type !== "INTEGER") return typeof value === "string";
    const whole = typeof value === "number" && Number.isSafeInteger(value);
    return whole && (!name.endsWith("_ms") || (value >= 0 && value <= LAST_MS));
  });
}

function pageOf(table: string, key: readonly string[], after: readonly Value[]): string {
  const columns = key.map(quoted).join(", ");
  const places = after.map(() => "?").join(", ");
  const where = after.length === 0 ? "" : ` WHERE (${columns}) > (${places})`;
  return `SELECT * FROM ${quoted(table)}${where} ORDER BY ${columns}`;
}

/** @throws Error  for a table without a key: its rows have no order to be paged in. */
function keyOf(sql: Sql, table: string): readonly string[] {
  const key = columnsOf(sql, table)
    .filter(({ pk }) => pk > 0)
    .toSorted((a, b) => a.pk - b.pk)
    .map(({ name }) => name);
  if (key.length === 0) throw new Error(`the table ${table} has no key`);
  return key;
}

function columnsOf(sql: Sql, table: string): readonly Column[] {
  return sql.all<Column>(`PRAGMA table_info(${quoted(table)})`);
}

/** By name: the order is part of the file. */
function tablesOf(sql: Sql, leftBehind: readonly string[]): readonly string[] {
  return sql
    .all<{ name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    .map(({ name }) => name)
    .filter((name) => !/^(?:_cf_|sqlite_)/.test(name) && !leftBehind.includes(name));
}

function sizeOf(row: Readonly<Record<string, Value>>): number {
  let units = 0;
  for (const value of Object.values(row)) units += typeof value === "string" ? value.length : 8;
  return units;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
