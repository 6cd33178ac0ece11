/**
 * Data keys around a transfer: read without making one, made without an entry in the trail. What a
 * move does may not change what is moved.
 */
import { and, asc, eq, ne } from "drizzle-orm";
import type { ForgeDataKey } from "../data-keys/store.ts";
import { dataKey } from "../data-keys/table.ts";
import type { TenantScope } from "../db/scope.ts";
import { newId } from "../ids.ts";
import type { WrappedKey } from "../seal/contract.ts";

/** The keys that open what the tenant has sealed; none where nothing was. */
export async function wrappedKeys(scope: TenantScope): Promise<readonly WrappedKey[]> {
  const rows = await scope.db
    .select({ id: dataKey.id, wrapped: dataKey.wrapped })
    .from(dataKey)
    .where(and(eq(dataKey.tenantId, scope.tenantId), ne(dataKey.state, "destroyed")))
    .orderBy(asc(dataKey.state)); // `active` before `retiring`
  return rows.flatMap(({ id, wrapped }) => (wrapped === null ? [] : [{ id, wrapped }]));
}

/** A key for the secrets that arrive: this platform's own. */
export async function bringKey(
  scope: TenantScope,
  forge: ForgeDataKey,
  transferId: string,
  nowMs: number,
): Promise<readonly WrappedKey[]> {
  const { tenantId } = scope;
  const { id, kid, wrapped, fingerprint } = await forge(tenantId, newId("dataKey", nowMs));
  const row = { tenantId, id, kid, wrapped, fingerprint, lastChangeId: transferId } as const;
  await scope.db.insert(dataKey).values({ ...row, state: "active", createdAtMs: nowMs });
  return [{ id, wrapped }];
}

/** Fingerprints of every key the tenant ever had: what is named when they are destroyed. */
export async function keyFingerprints(scope: TenantScope): Promise<readonly string[]> {
  const rows = await scope.db
    .select({ fingerprint: dataKey.fingerprint })
    .from(dataKey)
    .where(eq(dataKey.tenantId, scope.tenantId))
    .orderBy(asc(dataKey.id));
  return rows.map(({ fingerprint }) => fingerprint);
}
