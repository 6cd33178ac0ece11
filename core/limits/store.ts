/** Rate limits as somebody set them. A change gives what is live a new generation in its batch. */
import { type SQL, and, asc, eq, exists, gt } from "drizzle-orm";
import { auditRow, recordedIfChanged, recordedWhere } from "../audit/store-record.ts";
import { rfc3339 } from "../clock.ts";
import { idAfter } from "../db/keyset.ts";
import type { TenantScope } from "../db/scope.ts";
import { bumpGenerations } from "../deployments/store-generations.ts";
import { newId } from "../ids.ts";
import { type Page, type PageQuery, pageOf } from "../page.ts";
import { Problem } from "../problem.ts";
import type { CreateLimit, Limit, LimitPatch } from "./contract.ts";
import { alreadyAimed, demandFew, shownSubject, storedSubject } from "./store-aim.ts";
import { rateLimit } from "./table.ts";

/** @throws Problem `invalid` for a subject the tenant has not | `already_exists` | `quota_exceeded` */
export async function createLimit(
  scope: TenantScope,
  wanted: CreateLimit,
  nowMs: number,
): Promise<Limit> {
  const { db, tenantId } = scope;
  const subject = await storedSubject(scope, wanted.level, wanted.subject);
  await demandFew(scope, rateLimit, "limit");
  const id = newId("limit", nowMs);
  const fact = { action: "limit.created", kind: "limit", id, after: wanted, detail: told(wanted) };
  const entry = await auditRow(scope, fact, nowMs);
  const { level, per, limit: most } = wanted;
  const row = { tenantId, id, level, subject, per, most, revision: 1, lastChangeId: entry.id };
  const [[made]] = await db.batch([
    db
      .insert(rateLimit)
      .values({ ...row, createdAtMs: nowMs, updatedAtMs: nowMs })
      .onConflictDoNothing()
      .returning(),
    bumpGenerations(scope, changedBy(scope, id, entry.id), nowMs),
    recordedIfChanged(scope, entry, rateLimit, one(scope, id)),
  ]);
  if (made === undefined) throw alreadyAimed("limit");
  return toLimit(made);
}

/** Limits in the order they were made. */
export async function listLimits(scope: TenantScope, page: PageQuery): Promise<Page<Limit>> {
  const after = idAfter("limit", page.cursor);
  const rows = await scope.db
    .select()
    .from(rateLimit)
    .where(
      and(
        eq(rateLimit.tenantId, scope.tenantId),
        after === undefined ? undefined : gt(rateLimit.id, after),
      ),
    )
    .orderBy(asc(rateLimit.id))
    .limit(page.limit + 1);
  return pageOf(rows.map(toLimit), page.limit, ({ id }) => id);
}

/** @throws Problem `not_found` */
export async function getLimit(scope: TenantScope, id: string): Promise<Limit> {
  const [row] = await scope.db.select().from(rateLimit).where(one(scope, id));
  if (row === undefined) throw new Problem("not_found", "no such limit");
  return toLimit(row);
}

/** @throws Problem `not_found` | `version_conflict` */
export async function patchLimit(
  scope: TenantScope,
  id: string,
  revision: number,
  patch: LimitPatch,
  nowMs: number,
): Promise<Limit> {
  const fact = { action: "limit.changed", kind: "limit", id, after: patch, detail: patch };
  const entry = await auditRow(scope, fact, nowMs);
  const change = { most: patch.limit, revision: revision + 1, updatedAtMs: nowMs };
  const [[row]] = await scope.db.batch([
    scope.db
      .update(rateLimit)
      .set({ ...change, lastChangeId: entry.id })
      .where(and(one(scope, id), eq(rateLimit.revision, revision)))
      .returning(),
    bumpGenerations(scope, changedBy(scope, id, entry.id), nowMs),
    recordedIfChanged(scope, entry, rateLimit, one(scope, id)),
  ]);
  if (row !== undefined) return toLimit(row);
  return missed(scope, id, revision);
}

/** @throws Problem `not_found` | `version_conflict` */
export async function deleteLimit(
  scope: TenantScope,
  id: string,
  revision: number,
  nowMs: number,
): Promise<void> {
  const { db } = scope;
  const current = and(one(scope, id), eq(rateLimit.revision, revision));
  const entry = await auditRow(scope, { action: "limit.deleted", kind: "limit", id }, nowMs);
  // What looks for the row first: after the delete there is none left to find.
  const [, , [row]] = await db.batch([
    recordedWhere(scope, entry, rateLimit, current),
    bumpGenerations(
      scope,
      exists(db.select({ id: rateLimit.id }).from(rateLimit).where(current)),
      nowMs,
    ),
    db.delete(rateLimit).where(current).returning({ id: rateLimit.id }),
  ]);
  if (row === undefined) await missed(scope, id, revision);
}

async function missed(scope: TenantScope, id: string, revision: number): Promise<never> {
  await getLimit(scope, id); // throws not_found when that is the reason
  throw new Problem("version_conflict", `the limit is no longer at revision ${revision}`);
}

/** For the trail. The subject may be a person's name: it is not among it. */
function told({ level, per, limit }: CreateLimit) {
  return { level, per, limit };
}

function one(scope: TenantScope, id: string): SQL | undefined {
  return and(eq(rateLimit.tenantId, scope.tenantId), eq(rateLimit.id, id));
}

function changedBy(scope: TenantScope, id: string, change: string): SQL {
  const changed = and(one(scope, id), eq(rateLimit.lastChangeId, change));
  return exists(scope.db.select({ id: rateLimit.id }).from(rateLimit).where(changed));
}

function toLimit(row: typeof rateLimit.$inferSelect): Limit {
  return {
    id: row.id,
    level: row.level,
    subject: shownSubject(row.subject),
    per: row.per,
    limit: row.most,
    revision: row.revision,
    created_at: rfc3339(row.createdAtMs),
    updated_at: rfc3339(row.updatedAtMs),
  };
}
