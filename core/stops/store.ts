/** Kill switches that are thrown. Throwing and lifting give what is live a new generation. */
import { type SQL, and, asc, eq, exists, gt, isNull } from "drizzle-orm";
import { auditRow, recordedWhere } from "../audit/store-record.ts";
import { rfc3339 } from "../clock.ts";
import { idAfter } from "../db/keyset.ts";
import type { PlatformScope, TenantScope } from "../db/scope.ts";
import { bumpGenerations } from "../deployments/store-generations.ts";
import { newId } from "../ids.ts";
import { alreadyAimed, demandFew, shownSubject, storedSubject } from "../limits/store-aim.ts";
import { type Page, type PageQuery, pageOf } from "../page.ts";
import { Problem } from "../problem.ts";
import type { CreateStop, Stop } from "./contract.ts";
import { stop } from "./table.ts";

/** @throws Problem `invalid` for a subject the tenant has not | `already_exists` | `quota_exceeded` */
export async function createStop(
  scope: TenantScope,
  wanted: CreateStop,
  nowMs: number,
): Promise<Stop> {
  const { db, tenantId, by } = scope;
  const { level, reason } = wanted;
  const subject = await storedSubject(scope, level, wanted.subject);
  await demandFew(scope, stop, "stop");
  const id = newId("stop", nowMs);
  const fact = { action: "stop.thrown", kind: "stop", id, after: wanted, detail: { level } };
  const entry = await auditRow(scope, fact, nowMs);
  const row = { tenantId, id, level, subject, reason, createdBy: by.id, createdAtMs: nowMs };
  const there = exists(db.select({ id: stop.id }).from(stop).where(one(scope, id)));
  const [[made]] = await db.batch([
    db.insert(stop).values(row).onConflictDoNothing().returning(),
    bumpGenerations(scope, there, nowMs),
    recordedWhere(scope, entry, stop, one(scope, id)),
  ]);
  if (made === undefined) throw alreadyAimed("stop");
  return toStop(made);
}

/** Stops in the order they were thrown. */
export async function listStops(scope: TenantScope, page: PageQuery): Promise<Page<Stop>> {
  const after = idAfter("stop", page.cursor);
  const mine = eq(stop.tenantId, scope.tenantId);
  const rows = await scope.db
    .select()
    .from(stop)
    .where(and(mine, after === undefined ? undefined : gt(stop.id, after)))
    .orderBy(asc(stop.id))
    .limit(page.limit + 1);
  return pageOf(rows.map(toStop), page.limit, ({ id }) => id);
}

/** @throws Problem `not_found` */
export async function getStop(scope: TenantScope, id: string): Promise<Stop> {
  const [row] = await scope.db.select().from(stop).where(one(scope, id));
  if (row === undefined) throw new Problem("not_found", "no such stop");
  return toStop(row);
}

/** Lift it. @throws Problem `not_found` */
export async function deleteStop(scope: TenantScope, id: string, nowMs: number): Promise<void> {
  const { db } = scope;
  const mine = one(scope, id);
  const entry = await auditRow(scope, { action: "stop.lifted", kind: "stop", id }, nowMs);
  // What looks for the row first: after the delete there is none left to find.
  const [, , [row]] = await db.batch([
    recordedWhere(scope, entry, stop, mine),
    bumpGenerations(scope, exists(db.select({ id: stop.id }).from(stop).where(mine)), nowMs),
    db.delete(stop).where(mine).returning({ id: stop.id }),
  ]);
  if (row === undefined) throw new Problem("not_found", "no such stop");
}

/** Every object it concerns has been told. */
export async function stopReached(scope: TenantScope, id: string, nowMs: number): Promise<void> {
  await scope.db.update(stop).set({ reachedAtMs: nowMs }).where(one(scope, id));
}

/** Stops of any tenant that some object may not know of: for cron alone. */
export async function unreachedStops(
  platform: PlatformScope,
  limit: number,
): Promise<readonly (Pick<Stop, "id" | "level" | "subject"> & { readonly tenantId: string })[]> {
  const rows = await platform.db
    .select({ tenantId: stop.tenantId, id: stop.id, level: stop.level, subject: stop.subject })
    .from(stop)
    .where(isNull(stop.reachedAtMs))
    .orderBy(asc(stop.createdAtMs))
    .limit(limit);
  return rows.map(({ tenantId, id, level, subject }) => {
    return { tenantId, id, level, subject: shownSubject(subject) };
  });
}

function one(scope: TenantScope, id: string): SQL | undefined {
  return and(eq(stop.tenantId, scope.tenantId), eq(stop.id, id));
}

function toStop(row: typeof stop.$inferSelect): Stop {
  return {
    id: row.id,
    level: row.level,
    subject: shownSubject(row.subject),
    reason: row.reason,
    created_by: row.createdBy,
    created_at: rfc3339(row.createdAtMs),
    reached_at: row.reachedAtMs === null ? null : rfc3339(row.reachedAtMs),
  };
}
