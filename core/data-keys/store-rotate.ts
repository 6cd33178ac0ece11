import { and, asc, count, eq, exists, inArray, isNotNull, lte, ne } from "drizzle-orm";
import { auditRow, recordedIfChanged } from "../audit/store-record.ts";
import { rfc3339 } from "../clock.ts";
import type { PlatformScope, TenantScope } from "../db/scope.ts";
import { insertWhere } from "../db/statements.ts";
import { bumpGenerations } from "../deployments/store-generations.ts";
import { newId } from "../ids.ts";
import { Problem } from "../problem.ts";
import type { WrappedKey } from "../seal/contract.ts";
import type { DataKey } from "./contract.ts";
import { destroyed, type ForgeDataKey, newRow, oneDataKey } from "./store.ts";
import { countSealed, nothingSealed, underDataKey } from "./store-sealed.ts";
import { dataKey } from "./table.ts";

/** Longer than any request lives that has read a key as the active one (K2). */
export const GRACE_MS = 15 * 60_000;
const ROTATION_DUE_MS = 90 * 86_400_000;

/** A wrapped key with whose it is. */
export type OwnedKey = WrappedKey & { readonly tenantId: string };

/**
 * A new key seals from now on; the one of before only opens, until nothing is left under it.
 *
 * @throws Problem `conflict`  when another rotation came first, or nothing was ever sealed.
 */
export async function rotateDataKey(
  scope: TenantScope,
  activeId: string,
  forge: ForgeDataKey,
  nowMs: number,
): Promise<string> {
  const { db, tenantId } = scope;
  const id = newId("dataKey", nowMs);
  const fact = {
    action: "data_key.rotated",
    kind: "data_key",
    id,
    detail: { retired: activeId },
  };
  const entry = await auditRow(scope, fact, nowMs);
  const row = newRow(scope, await forge(tenantId, id), entry.id, nowMs);
  const retired = and(oneDataKey(scope, activeId), eq(dataKey.lastChangeId, entry.id));
  const [, , made] = await db.batch([
    db
      .update(dataKey)
      .set({ state: "retiring", retiredAtMs: nowMs, lastChangeId: entry.id })
      .where(and(oneDataKey(scope, activeId), eq(dataKey.state, "active"))),
    insertWhere(db, dataKey, row, dataKey, retired),
    db.select({ id: dataKey.id }).from(dataKey).where(oneDataKey(scope, id)),
    recordedIfChanged(scope, entry, dataKey, oneDataKey(scope, id)),
  ]);
  if (made.length > 0) return id;
  throw new Problem("conflict", "the data key was rotated at the same time");
}

/** The tenant's keys that are not destroyed, with how much is left under each. */
export async function listDataKeys(scope: TenantScope, nowMs: number): Promise<readonly DataKey[]> {
  const rows = await scope.db
    .select()
    .from(dataKey)
    .where(and(eq(dataKey.tenantId, scope.tenantId), ne(dataKey.state, "destroyed")))
    .orderBy(asc(dataKey.state), asc(dataKey.id))
    .limit(20);
  return Promise.all(
    rows.map(async ({ id, state, createdAtMs, retiredAtMs }) => ({
      id,
      state,
      created_at: rfc3339(createdAtMs),
      retired_at: retiredAtMs === null ? null : rfc3339(retiredAtMs),
      values: await countSealed(scope, underDataKey(id)),
      rotation_due: state === "active" && nowMs - createdAtMs >= ROTATION_DUE_MS,
    })),
  );
}

/** Keys of all tenants that are wrapped by one of these master keys. */
export async function keysUnder(
  { db }: PlatformScope,
  kids: readonly string[],
  limit: number,
): Promise<readonly OwnedKey[]> {
  if (kids.length === 0) return [];
  const rows = await db
    .select({ tenantId: dataKey.tenantId, id: dataKey.id, wrapped: dataKey.wrapped })
    .from(dataKey)
    .where(inArray(dataKey.kid, [...kids]))
    .limit(limit);
  return rows.flatMap(({ wrapped, ...rest }) => (wrapped === null ? [] : [{ ...rest, wrapped }]));
}

/** The same key under another master key; what carries a copy gets a new generation. */
export async function putRewrapped(
  scope: TenantScope,
  from: WrappedKey,
  to: WrappedKey & { readonly kid: string },
  nowMs: number,
): Promise<void> {
  const { db } = scope;
  const fact = {
    action: "data_key.rewrapped",
    kind: "data_key",
    id: from.id,
    detail: { kid: to.kid },
  };
  const entry = await auditRow(scope, fact, nowMs);
  const mine = oneDataKey(scope, from.id);
  const changed = and(mine, eq(dataKey.lastChangeId, entry.id));
  await db.batch([
    db
      .update(dataKey)
      .set({ wrapped: to.wrapped, kid: to.kid, lastChangeId: entry.id })
      .where(and(mine, eq(dataKey.wrapped, from.wrapped))),
    bumpGenerations(
      scope,
      exists(db.select({ id: dataKey.id }).from(dataKey).where(changed)),
      nowMs,
    ),
    recordedIfChanged(scope, entry, dataKey, mine),
  ]);
}

/** Keys of all tenants that are to go once nothing is left under them. */
export async function retiringKeys(
  { db }: PlatformScope,
  limit: number,
): Promise<readonly { readonly tenantId: string; readonly id: string }[]> {
  return db
    .select({ tenantId: dataKey.tenantId, id: dataKey.id })
    .from(dataKey)
    .where(eq(dataKey.state, "retiring"))
    .orderBy(asc(dataKey.retiredAtMs))
    .limit(limit);
}

/** Destroy a retiring key, if nothing is left under it and its grace is over (K2). */
export async function destroyRetired(
  scope: TenantScope,
  id: string,
  nowMs: number,
): Promise<boolean> {
  const fact = { action: "data_key.destroyed", kind: "data_key", id };
  const entry = await auditRow(scope, fact, nowMs);
  const mine = oneDataKey(scope, id);
  const [gone] = await scope.db.batch([
    scope.db
      .update(dataKey)
      .set(destroyed(entry.id, nowMs))
      .where(
        and(
          mine,
          eq(dataKey.state, "retiring"),
          lte(dataKey.retiredAtMs, nowMs - GRACE_MS),
          nothingSealed(scope, underDataKey(id)),
        ),
      )
      .returning({ id: dataKey.id }),
    recordedIfChanged(scope, entry, dataKey, mine),
  ]);
  return gone.length > 0;
}

/** How many data keys each master key wraps. */
export async function countByMaster({ db }: PlatformScope): Promise<ReadonlyMap<string, number>> {
  const rows = await db
    .select({ kid: dataKey.kid, n: count() })
    .from(dataKey)
    .where(isNotNull(dataKey.kid))
    .groupBy(dataKey.kid);
  return new Map(rows.map(({ kid, n }) => [kid ?? "", n]));
}
