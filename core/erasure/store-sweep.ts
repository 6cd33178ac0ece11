/**
 * Counting and deleting what a tenant has, whatever the tables are. The list of tables is handed
 * in: it is the one migrations are printed from, so a new table is swept without a word here.
 */
import { and, count, eq, getTableName, sql } from "drizzle-orm";
import type { BatchItem } from "drizzle-orm/batch";
import { type SQLiteColumn, type SQLiteTable, getTableConfig } from "drizzle-orm/sqlite-core";
import type { PlatformScope, TenantScope } from "../db/scope.ts";
import { idempotency } from "../idempotency/table.ts";

/** Rows deleted by one statement, so that none holds the store up. */
const BATCH = 500;

/** Rows of the tenant in each table that has any; one round trip. */
export async function countRows(
  scope: TenantScope,
  tables: readonly SQLiteTable[],
): Promise<Readonly<Record<string, number>>> {
  const counted = await together(
    scope,
    tables.map((table) =>
      scope.db
        .select({ rows: count() })
        .from(table)
        .where(eq(tenantColumn(table), scope.tenantId)),
    ),
  );
  const rows = tables.map((table, n) => [getTableName(table), counted[n]?.[0]?.rows ?? 0] as const);
  return Object.fromEntries(rows.filter(([, found]) => found > 0));
}

/** Every row of the tenant in these tables, as few round trips as they allow; again is no error. */
export async function sweepTables(
  scope: TenantScope,
  tables: readonly SQLiteTable[],
): Promise<void> {
  let left = tables;
  while (left.length > 0) {
    const gone = await together(
      scope,
      left.map((table) => someGone(scope, table)),
    );
    left = left.filter((_, n) => gone[n]?.length === BATCH);
  }
}

/** Deletes up to `BATCH` rows of the tenant. */
function someGone(scope: TenantScope, table: SQLiteTable) {
  const mine = eq(tenantColumn(table), scope.tenantId);
  const key = sql.join(
    keyOf(table).map((column) => sql.identifier(column.name)),
    sql`, `,
  );
  const some = sql`(${key}) in (select ${key} from ${table} where ${mine} limit ${sql.raw(String(BATCH))})`;
  return scope.db
    .delete(table)
    .where(and(mine, some))
    .returning({ one: sql<number>`1` });
}

/** The rows of each statement, all in one batch. */
async function together<S extends BatchItem<"sqlite">>(
  { db }: TenantScope,
  statements: readonly S[],
): Promise<readonly S["_"]["result"][]> {
  const [first, ...rest] = statements;
  return first === undefined ? [] : db.batch([first, ...rest]);
}

/**
 * Answers the platform's host keeps for replay that name the tenant: of its provisioning, with the
 * first administrator's name and address in it.
 */
export async function sweepPlatformAnswers(
  platform: PlatformScope,
  tenantId: string,
): Promise<void> {
  await platform.db
    .delete(idempotency)
    .where(
      and(eq(idempotency.tenantId, "platform"), sql`${idempotency.body} like ${`%${tenantId}%`}`),
    );
}

export function tableName(table: SQLiteTable): string {
  return getTableName(table);
}

/** The primary key, in its order. */
export function keyOf(table: SQLiteTable): readonly SQLiteColumn[] {
  const { columns, primaryKeys } = getTableConfig(table);
  return primaryKeys[0]?.columns ?? columns.filter(({ primary }) => primary);
}

/** What says whose a row is: `tenant_id`, and of the tenant's own table its id. */
export function tenantColumn(table: SQLiteTable): SQLiteColumn {
  const { columns } = getTableConfig(table);
  const column = columns.find(({ name }) => name === "tenant_id") ?? keyOf(table)[0];
  if (column === undefined) throw new Error(`${getTableName(table)} has no tenant`);
  return column;
}
