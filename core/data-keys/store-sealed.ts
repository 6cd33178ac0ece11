/**
 * Every column that holds something sealed for a tenant: what a rotation seals again, and what must
 * be empty of a key before the key is destroyed. A sealed column that is missing here would be lost
 * with its key; a test compares this list with what an export takes.
 */
import { type SQL, and, asc, count, eq, exists, isNotNull, not, sql } from "drizzle-orm";
import type { SQLiteColumn, SQLiteTable } from "drizzle-orm/sqlite-core";
import { contentPolicy } from "../content/table.ts";
import { batchChunk } from "../batches/table.ts";
import type { Db, PlatformScope, TenantScope } from "../db/scope.ts";
import { runAll } from "../db/statements.ts";
import { bumpGenerations } from "../deployments/store-generations.ts";
import { issuer } from "../issuers/table.ts";
import { ssoConnection } from "../sso/table.ts";
import { provider } from "../providers/table.ts";
import type { SealPlace } from "../seal/contract.ts";
import { secretVersion } from "../secrets/table.ts";

type SealedTable = SQLiteTable & { tenantId: SQLiteColumn; id: SQLiteColumn };

type SealedColumn = {
  /** What its values are sealed for, with the row's id. */
  readonly kind: string;
  readonly table: SealedTable;
  readonly column: SQLiteColumn;
  readonly set: (db: Db, blob: string) => { where(condition: SQL | undefined): Update };
};

type Update = Parameters<typeof runAll>[1][number];

export const SEALED: readonly SealedColumn[] = [
  {
    kind: "provider",
    table: provider,
    column: provider.sealedKey,
    set: (db, blob) => db.update(provider).set({ sealedKey: blob }),
  },
  {
    kind: "secret",
    table: secretVersion,
    column: secretVersion.sealed,
    set: (db, blob) => db.update(secretVersion).set({ sealed: blob }),
  },
  {
    kind: "issuer",
    table: issuer,
    column: issuer.sealedSecret,
    set: (db, blob) => db.update(issuer).set({ sealedSecret: blob }),
  },
  {
    kind: "batch_chunk",
    table: batchChunk,
    column: batchChunk.sealedInputs,
    set: (db, blob) => db.update(batchChunk).set({ sealedInputs: blob }),
  },
  {
    kind: "sso",
    table: ssoConnection,
    column: ssoConnection.sealedSecret,
    set: (db, blob) => db.update(ssoConnection).set({ sealedSecret: blob }),
  },
  {
    kind: "content",
    table: contentPolicy,
    column: contentPolicy.sealedKey,
    set: (db, blob) => db.update(contentPolicy).set({ sealedKey: blob }),
  },
];

/** One sealed value and where it stands. */
export type SealedValue = { readonly place: SealPlace; readonly blob: string };

/** How blobs under this key begin. */
export function underDataKey(id: string): string {
  return `v2.${id}.`;
}

/** How blobs directly under this master key begin. */
export function underMasterKey(kid: string): string {
  return `v1.${kid}.`;
}

/** Up to `limit` values of the tenant whose blobs begin like this. */
export async function sealedValues(
  { db, tenantId }: TenantScope,
  beginning: string,
  limit: number,
): Promise<readonly SealedValue[]> {
  const found: SealedValue[] = [];
  for (const { kind, table, column } of SEALED) {
    const rows = await db
      .select({ id: sql<string>`${table.id}`, blob: sql<string>`${column}` })
      .from(table)
      .where(and(eq(table.tenantId, tenantId), begins(column, beginning)))
      .orderBy(asc(table.id))
      .limit(limit - found.length);
    found.push(...rows.map(({ id, blob }) => ({ place: { tenantId, kind, id }, blob })));
    if (found.length >= limit) break;
  }
  return found;
}

/** How many values of the tenant, or of all tenants, have blobs that begin like this. */
export async function countSealed(
  scope: TenantScope | PlatformScope,
  beginning: string,
): Promise<number> {
  let sum = 0;
  for (const { table, column } of SEALED) {
    const mine = "tenantId" in scope ? eq(table.tenantId, scope.tenantId) : undefined;
    const [row] = await scope.db
      .select({ n: count() })
      .from(table)
      .where(and(mine, begins(column, beginning)));
    sum += row?.n ?? 0;
  }
  return sum;
}

/** Tenants that have values directly under this master key, up to `limit`. */
export async function tenantsUnder(
  { db }: PlatformScope,
  kid: string,
  limit: number,
): Promise<readonly string[]> {
  const found = new Set<string>();
  for (const { table, column } of SEALED) {
    const rows = await db
      .selectDistinct({ tenantId: sql<string>`${table.tenantId}` })
      .from(table)
      .where(begins(column, underMasterKey(kid)))
      .limit(limit);
    for (const { tenantId } of rows) found.add(tenantId);
  }
  return [...found].slice(0, limit);
}

/**
 * Each value under another key, where it still is what was read: whoever wrote in between keeps
 * what they wrote. All that carries a copy gets a new generation.
 */
export async function putSealed(
  scope: TenantScope,
  values: readonly (SealedValue & { readonly again: string })[],
  nowMs: number,
): Promise<void> {
  const puts = values.flatMap(({ place: { kind, id }, blob, again }) =>
    SEALED.filter((it) => it.kind === kind).map(({ table, column, set }) =>
      set(scope.db, again).where(
        and(eq(table.tenantId, scope.tenantId), eq(table.id, id), eq(column, blob)),
      ),
    ),
  );
  if (puts.length > 0) await runAll(scope.db, [...puts, bumpGenerations(scope, undefined, nowMs)]);
}

/** A condition: nothing of the tenant's begins like this. */
export function nothingSealed({ db, tenantId }: TenantScope, beginning: string): SQL | undefined {
  return and(
    ...SEALED.map(({ table, column }) =>
      not(
        exists(
          db
            .select({ id: sql`1` })
            .from(table)
            .where(and(eq(table.tenantId, tenantId), begins(column, beginning))),
        ),
      ),
    ),
  );
}

function begins(column: SQLiteColumn, beginning: string): SQL | undefined {
  return and(isNotNull(column), sql`substr(${column}, 1, ${beginning.length}) = ${beginning}`);
}
