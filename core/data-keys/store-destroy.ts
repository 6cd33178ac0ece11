import { and, asc, eq, exists, ne } from "drizzle-orm";
import { auditRow, recordedWhere } from "../audit/store-record.ts";
import type { TenantScope } from "../db/scope.ts";
import { tenant } from "../tenants/table.ts";
import { destroyed } from "./store.ts";
import { dataKey } from "./table.ts";

/** What is left of destroyed keys: how many there were, and a hash that names them all. */
export type DestroyedKeys = { readonly count: number; readonly fingerprint: string };

/**
 * Destroy every data key of the tenant: nothing that was sealed for it opens any more, wherever
 * copies of it lie. Again answers the same. Whoever calls it has seen to it that the tenant is
 * `erasing`, or its next secret makes a new key.
 */
export async function destroyDataKeys(scope: TenantScope, nowMs: number): Promise<DestroyedKeys> {
  const { db, tenantId } = scope;
  const standing = and(eq(dataKey.tenantId, tenantId), ne(dataKey.state, "destroyed"));
  const left = exists(db.select({ id: dataKey.id }).from(dataKey).where(standing));
  const fact = { action: "data_keys.destroyed", kind: "tenant", id: tenantId };
  const entry = await auditRow(scope, fact, nowMs);
  const [, , rows] = await db.batch([
    recordedWhere(scope, entry, tenant, and(eq(tenant.id, tenantId), left)),
    db.update(dataKey).set(destroyed(entry.id, nowMs)).where(standing),
    db
      .select({ id: dataKey.id, fingerprint: dataKey.fingerprint })
      .from(dataKey)
      .where(eq(dataKey.tenantId, tenantId))
      .orderBy(asc(dataKey.id)),
  ]);
  const names = rows.map(({ id, fingerprint }) => `${id} ${fingerprint}\n`).join("");
  return { count: rows.length, fingerprint: await sha256(names) };
}

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
