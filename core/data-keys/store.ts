/**
 * Data keys: one active one for each tenant, and those it is being changed from.
 *
 * K1  Of racing first needs one key is made: `data_key_active` is unique.
 * K2  A key is destroyed only when nothing is sealed under it, and a while after it stopped
 *     sealing: no request that read it as the active one is still under way then.
 * K3  The wrapped key is all there is of a key; a destroyed row keeps its fingerprint alone.
 */
import { and, asc, eq, ne } from "drizzle-orm";
import { auditRow, recordedIfChanged } from "../audit/store-record.ts";
import type { TenantScope } from "../db/scope.ts";
import { insertWhere } from "../db/statements.ts";
import { newId } from "../ids.ts";
import { Problem } from "../problem.ts";
import type { WrappedKey } from "../seal/contract.ts";
import { tenant } from "../tenants/table.ts";
import type { DataKeyState } from "./contract.ts";
import { dataKey } from "./table.ts";

/** A data key as it is stored; making one takes the master key, which the shell has. */
type ForgedDataKey = WrappedKey & { readonly kid: string; readonly fingerprint: string };
export type ForgeDataKey = (tenantId: string, id: string) => Promise<ForgedDataKey>;

/**
 * The keys that open the tenant's secrets, the one that seals first; it is made at the first need.
 *
 * @throws Problem `conflict`  for a tenant that is being erased: nothing is sealed for it any more.
 */
export async function ensureDataKeys(
  scope: TenantScope,
  forge: ForgeDataKey,
  nowMs: number,
): Promise<readonly WrappedKey[]> {
  const known = await dataKeysOf(scope);
  if (known[0]?.state === "active") return known;
  const id = newId("dataKey", nowMs);
  const entry = await auditRow(scope, { action: "data_key.created", kind: "data_key", id }, nowMs);
  const row = newRow(scope, await forge(scope.tenantId, id), entry.id, nowMs);
  const living = and(eq(tenant.id, scope.tenantId), ne(tenant.status, "erasing"));
  await scope.db.batch([
    insertWhere(scope.db, dataKey, row, tenant, living).onConflictDoNothing(), // K1
    recordedIfChanged(scope, entry, dataKey, oneDataKey(scope, id)),
  ]);
  const made = await dataKeysOf(scope);
  if (made[0]?.state !== "active") throw new Problem("conflict", "the tenant is being erased");
  return made;
}

/** Every key that still opens something, the active one first. */
export async function dataKeysOf(
  scope: TenantScope,
): Promise<readonly (WrappedKey & { readonly state: DataKeyState })[]> {
  const rows = await scope.db
    .select({ id: dataKey.id, wrapped: dataKey.wrapped, state: dataKey.state })
    .from(dataKey)
    .where(and(eq(dataKey.tenantId, scope.tenantId), ne(dataKey.state, "destroyed")))
    .orderBy(asc(dataKey.state), asc(dataKey.id)); // `active` before `retiring`
  return rows.flatMap(({ id, wrapped, state }) =>
    wrapped === null ? [] : [{ id, wrapped, state }],
  );
}

/** The tenant's key with this id, as a condition. */
export function oneDataKey({ tenantId }: TenantScope, id: string) {
  return and(eq(dataKey.tenantId, tenantId), eq(dataKey.id, id));
}

/** The row of a key that seals from now on, under the name of the change that makes it. */
export function newRow(
  { tenantId }: TenantScope,
  { id, kid, wrapped, fingerprint }: ForgedDataKey,
  change: string,
  nowMs: number,
): typeof dataKey.$inferInsert {
  return {
    tenantId,
    id,
    kid,
    wrapped,
    state: "active",
    fingerprint,
    createdAtMs: nowMs,
    retiredAtMs: null,
    destroyedAtMs: null,
    lastChangeId: change,
  };
}

/** What is left of a key (K3). */
export function destroyed(change: string, nowMs: number) {
  return {
    state: "destroyed",
    wrapped: null,
    kid: null,
    destroyedAtMs: nowMs,
    lastChangeId: change,
  } as const;
}
