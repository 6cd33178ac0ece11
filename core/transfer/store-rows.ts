/**
 * A tenant's rows as they are stored, whatever the table: text and whole numbers, JSON as the text
 * it was written as. The tenant's id, which would stand in each, stays out.
 */
import { and, between, eq, getTableName, inArray, ne, sql } from "drizzle-orm";
import type { BatchItem } from "drizzle-orm/batch";
import { type SQLiteColumn, type SQLiteTable, getTableConfig } from "drizzle-orm/sqlite-core";
import type { PlatformScope, TenantScope } from "../db/scope.ts";
import { insertWhere } from "../db/statements.ts";
import { keyOf, tenantColumn } from "../erasure/store-sweep.ts";
import { erasure } from "../erasure/table.ts";
import { slugUnburied } from "../erasure/store.ts";
import { parseJsonText } from "../json/text.ts";
import { Problem } from "../problem.ts";
import { tenant } from "../tenants/table.ts";
import type { Row, Value } from "./contract.ts";
import { SHAPES } from "./shapes.ts";
import type { TransferRow } from "./store.ts";
import { transfer } from "./table.ts";

/** D1's bound on parameters in a statement. */
const PARAMETERS = 100;

/** Up to `limit` rows behind the key `after`, in the order of the key. */
export async function readRows(
  scope: TenantScope,
  table: SQLiteTable,
  after: readonly Value[] | undefined,
  limit: number,
): Promise<readonly Row[]> {
  const key = rowKey(table);
  if (after !== undefined && key.length === 0) return []; // the tenant's own row, read already
  const columns = Object.fromEntries(
    rowColumns(table).map((column) => [column.name, sql<Value>`${column}`]),
  );
  const behind =
    after === undefined
      ? undefined
      : sql`(${list(key)}) > (${sql.join(
          after.map((value) => sql`${value}`),
          sql`, `,
        )})`;
  return scope.db
    .select(columns)
    .from(table)
    .where(and(eq(tenantColumn(table), scope.tenantId), behind))
    .orderBy(...key)
    .limit(limit);
}

/** The key of a row within its tenant: what `readRows` goes on behind. */
export function keyValues(table: SQLiteTable, row: Row): readonly Value[] {
  return rowKey(table).map(({ name }) => row[name] ?? null);
}

/**
 * The row as this platform's table takes it.
 *
 * @throws Problem `invalid`  for an unknown column, a missing one, or a value that is none of it.
 */
export function checkedRow(table: SQLiteTable, row: Row): Row {
  const columns = rowColumns(table);
  const unknown = Object.keys(row).find((name) => columns.every((it) => it.name !== name));
  if (unknown !== undefined) throw unfit(table, `has no column ${unknown.slice(0, 60)}`);
  for (const column of columns) {
    const value = row[column.name];
    // A column that was added since the file was written may be null, and stands for nothing.
    if (value === undefined || value === null) {
      if (column.notNull) throw unfit(table, `needs ${column.name}`);
      continue;
    }
    if (!fits(table, column, value)) throw unfit(table, `has ${column.name} of another type`);
  }
  return row;
}

/** The last moment there is. @source ECMA-262 §21.4.1.1 */
const LAST_MS = 8.64e15;
/** Of whatever is counted: sums of as many rows as there are stay exact. */
const MOST = 1e12;

function fits(table: SQLiteTable, column: SQLiteColumn, value: Value): boolean {
  if (column.getSQLType() === "integer") {
    if (typeof value !== "number" || !Number.isSafeInteger(value)) return false;
    if (column.dataType === "boolean") return value === 0 || value === 1;
    return value >= 0 && value <= (column.name.endsWith("_ms") ? LAST_MS : MOST);
  }
  if (typeof value !== "string") return false;
  const shape = SHAPES[`${getTableName(table)}.${column.name}`];
  if (column.dataType !== "json") return shape === undefined || shape.safeParse(value).success;
  const said = jsonOf(value);
  return said !== undefined && (shape?.safeParse(said.value).success ?? false);
}

/** By the rules of every body: nothing too deep, and no key that would be a prototype. */
function jsonOf(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: parseJsonText(text, "column") };
  } catch {
    return undefined;
  }
}

/** Statements that write rows of one table; a row whose place is taken is left out and missed. */
export function insertRows(
  scope: TenantScope,
  table: SQLiteTable,
  rows: readonly Row[],
): readonly BatchItem<"sqlite">[] {
  const size = Math.max(1, Math.floor(PARAMETERS / getTableConfig(table).columns.length));
  const statements: BatchItem<"sqlite">[] = [];
  for (let at = 0; at < rows.length; at += size) {
    const values = rows.slice(at, at + size).map((row) => cells(scope.tenantId, table, row));
    // Values by column name, each a bare parameter: what is stored is what the file says.
    statements.push(scope.db.insert(table).values(values).onConflictDoNothing());
  }
  return statements;
}

/**
 * Ids of rows that another tenant has, in a table where they are looked up before it is known
 * whose they are. A file must not be able to stand in the way of somebody else's key.
 */
export async function foreignIds(
  platform: PlatformScope,
  tenantId: string,
  table: SQLiteTable,
  rows: readonly Row[],
): Promise<readonly string[]> {
  const { columns, indexes } = getTableConfig(table);
  const id = columns.find(({ name }) => name === "id");
  const byId = indexes.some(({ config }) => {
    const [first] = config.columns;
    return first !== undefined && "name" in first && first.name === "id";
  });
  if (id === undefined || !byId) return [];
  const ids = rows.map((row) => String(row["id"])).slice(0, PARAMETERS - 1);
  const found = await platform.db
    .select({ id: sql<string>`${id}` })
    .from(table)
    .where(and(inArray(id, ids), ne(tenantColumn(table), tenantId)));
  return found.map((row) => row.id);
}

/** A Worker that still carries an erasure somebody else has finished is gone by then. */
const ERASED_LATELY_MS = 15 * 60_000;

/**
 * @throws Problem `already_exists` when the tenant, or another with this slug, is here; `conflict`
 *         when it was erased a moment ago: whoever still sweeps must not meet what arrives.
 */
export async function demandVacant(
  platform: PlatformScope,
  tenantId: string,
  slug: string,
  nowMs: number,
): Promise<void> {
  const found = await platform.db
    .select({ id: tenant.id })
    .from(tenant)
    .where(sql`${tenant.id} = ${tenantId} or ${tenant.slug} = ${slug}`);
  if (found.length > 0) throw taken();
  const lately = await platform.db
    .select({ id: erasure.id })
    .from(erasure)
    .where(
      and(
        eq(erasure.tenantId, tenantId),
        between(erasure.erasedAtMs, nowMs - ERASED_LATELY_MS, nowMs),
      ),
    );
  if (lately.length > 0) throw new Problem("conflict", "it was erased just now: ask in 15 minutes");
}

/**
 * The tenant is there, suspended, and the transfer done: one batch, so that from outside an import
 * is all or nothing.
 *
 * @throws Problem `already_exists`  when the slug was claimed, or kept back, meanwhile.
 */
export async function landTenant(
  platform: PlatformScope,
  { tenantId, id }: TransferRow,
  row: Row,
  done: Pick<TransferRow, "lines" | "sizeBytes" | "sha256">,
  nowMs: number,
): Promise<void> {
  const { db } = platform;
  const running = and(
    eq(transfer.tenantId, tenantId),
    eq(transfer.id, id),
    eq(transfer.status, "running"),
    slugUnburied(platform, String(row["slug"]), nowMs, tenantId),
  );
  const values = cells(tenantId, tenant, { ...row, status: "suspended" });
  const landed = sql`exists (select 1 from ${tenant} where ${tenant.id} = ${tenantId})`;
  const [, finished] = await db.batch([
    insertWhere(db, tenant, values, transfer, running).onConflictDoNothing(),
    db
      .update(transfer)
      .set({ ...done, status: "done", updatedAtMs: nowMs })
      .where(and(running, landed))
      .returning({ id: transfer.id }),
  ]);
  if (finished.length === 0) throw taken();
}

function taken(): Problem {
  return new Problem("already_exists", "the tenant, or another with its slug, is here", {
    errors: [{ pointer: "/slug", detail: "taken" }],
  });
}

/** By the property names drizzle knows columns by. */
function cells(tenantId: string, table: SQLiteTable, row: Row) {
  const mine = tenantColumn(table);
  // The table's own type is unknown here: what stands in the row was checked column by column.
  const entries = Object.entries(table as unknown as Readonly<Record<string, SQLiteColumn>>);
  const columns = new Set<unknown>(getTableConfig(table).columns);
  return Object.fromEntries(
    entries
      .filter(([, column]) => columns.has(column))
      .map(([property, column]) => {
        const value = column === mine ? tenantId : (row[column.name] ?? null);
        return [property, value === null ? sql`null` : sql`${value}`];
      }),
  ) as never; // see above
}

function rowColumns(table: SQLiteTable): readonly SQLiteColumn[] {
  const mine = tenantColumn(table);
  return getTableConfig(table).columns.filter((column) => column !== mine);
}

function rowKey(table: SQLiteTable): readonly SQLiteColumn[] {
  const mine = tenantColumn(table);
  return keyOf(table).filter((column) => column !== mine);
}

function list(columns: readonly SQLiteColumn[]) {
  return sql.join(
    columns.map((column) => sql`${column}`),
    sql`, `,
  );
}

function unfit(table: SQLiteTable, what: string): Problem {
  return new Problem("invalid", `the table ${getTableName(table)} ${what}`);
}
