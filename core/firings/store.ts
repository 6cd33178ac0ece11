import { and, asc, desc, eq, gt, inArray, lt } from "drizzle-orm";
import { rfc3339 } from "../clock.ts";
import { insertRows } from "../db/bulk.ts";
import { idAfter } from "../db/keyset.ts";
import type { PlatformScope, TenantScope } from "../db/scope.ts";
import { newId } from "../ids.ts";
import { type Page, type PageQuery, pageOf } from "../page.ts";
import { tenant } from "../tenants/table.ts";
import { type Firing, FIRINGS_KEPT_MS, type NewFiring } from "./contract.ts";
import { firing } from "./table.ts";

/** Rows deleted in one minute, at most. */
const SWEPT = 1000;

/**
 * The statement that writes firings, at least one, for the batch of what goes with them. The first
 * of an occurrence stands: one that is told again changes nothing.
 */
export function firingInsert(scope: TenantScope, firings: readonly NewFiring[], nowMs: number) {
  const { tenantId } = scope;
  const rows = firings.map(({ sourceId, occurrence, outcome, invocationId, code }) => ({
    tenantId,
    id: newId("firing", nowMs),
    sourceId,
    occurrence,
    outcome,
    invocationId,
    code,
    atMs: nowMs,
  }));
  return insertRows(scope, firing, rows).onConflictDoNothing();
}

/** Newest first. */
export async function listFirings(
  { db, tenantId }: TenantScope,
  sourceId: string,
  page: PageQuery,
): Promise<Page<Firing>> {
  const before = idAfter("firing", page.cursor);
  const rows = await db
    .select()
    .from(firing)
    .where(
      and(
        eq(firing.tenantId, tenantId),
        eq(firing.sourceId, sourceId),
        before === undefined ? undefined : lt(firing.id, before),
      ),
    )
    .orderBy(desc(firing.id))
    .limit(page.limit + 1);
  return pageOf(rows.map(toFiring), page.limit, (row) => row.id);
}

/** One that was put off, and whose it is. */
export type WaitingFiring = Pick<Firing, "id" | "occurrence"> & {
  readonly tenantId: string;
  readonly sourceId: string;
  readonly atMs: number;
};

/** Firings of active tenants that were put off since then, oldest first. */
export async function waitingFirings(
  { db }: PlatformScope,
  sinceMs: number,
  limit: number,
): Promise<readonly WaitingFiring[]> {
  const { tenantId, id, sourceId, occurrence, atMs } = firing;
  return db
    .select({ tenantId, id, sourceId, occurrence, atMs })
    .from(firing)
    .innerJoin(tenant, eq(tenant.id, firing.tenantId))
    .where(
      and(eq(firing.outcome, "waiting"), gt(firing.atMs, sinceMs), eq(tenant.status, "active")),
    )
    .orderBy(asc(firing.atMs))
    .limit(limit);
}

/** What came of one that was put off. */
export async function settleFiring(
  { db, tenantId }: TenantScope,
  id: string,
  { outcome, invocationId, code }: Omit<NewFiring, "sourceId" | "occurrence">,
): Promise<void> {
  await db
    .update(firing)
    .set({ outcome, invocationId, code })
    .where(and(eq(firing.tenantId, tenantId), eq(firing.id, id), eq(firing.outcome, "waiting")));
}

/** What is older than they are kept, some of it. */
export async function deleteOldFirings({ db }: PlatformScope, nowMs: number): Promise<void> {
  const old = db
    .select({ id: firing.id })
    .from(firing)
    .where(lt(firing.atMs, nowMs - FIRINGS_KEPT_MS))
    .limit(SWEPT);
  await db.delete(firing).where(inArray(firing.id, old));
}

function toFiring(row: typeof firing.$inferSelect): Firing {
  return {
    id: row.id,
    occurrence: row.occurrence,
    outcome: row.outcome,
    invocation_id: row.invocationId,
    code: row.code,
    at: rfc3339(row.atMs),
  };
}
