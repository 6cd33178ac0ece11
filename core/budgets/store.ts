/** Budgets as somebody set them. A change gives what is live a new generation in its batch. */
import { type SQL, and, asc, eq, exists, gt } from "drizzle-orm";
import { auditRow, recordedIfChanged, recordedWhere } from "../audit/store-record.ts";
import { rfc3339 } from "../clock.ts";
import { idAfter } from "../db/keyset.ts";
import type { TenantScope } from "../db/scope.ts";
import { bumpGenerations } from "../deployments/store-generations.ts";
import { newId } from "../ids.ts";
import { usd } from "../invocations/contract.ts";
import { alreadyAimed, demandFew, shownSubject, storedSubject } from "../limits/store-aim.ts";
import { type Page, type PageQuery, pageOf } from "../page.ts";
import { Problem } from "../problem.ts";
import type { Budget, BudgetPatch, CreateBudget } from "./contract.ts";
import { budget } from "./table.ts";

/** @throws Problem `invalid` for a subject the tenant has not | `already_exists` | `quota_exceeded` */
export async function createBudget(
  scope: TenantScope,
  wanted: CreateBudget,
  nowMs: number,
): Promise<Budget> {
  const { db, tenantId } = scope;
  const { level, period, amount_micros: amountMicros } = wanted;
  const subject = await storedSubject(scope, level, wanted.subject);
  await demandFew(scope, budget, "budget");
  const id = newId("budget", nowMs);
  // The subject may be a person's name: it is not told.
  const detail = { level, period, amount_micros: amountMicros };
  const fact = { action: "budget.created", kind: "budget", id, after: wanted, detail };
  const entry = await auditRow(scope, fact, nowMs);
  const row = {
    tenantId,
    id,
    level,
    subject,
    period,
    amountMicros,
    warnAtPct: wanted.warn_at_percent,
    exhausted: wanted.when_exhausted,
    revision: 1,
    lastChangeId: entry.id,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  };
  const [[made]] = await db.batch([
    db.insert(budget).values(row).onConflictDoNothing().returning(),
    bumpGenerations(scope, changedBy(scope, id, entry.id), nowMs),
    recordedIfChanged(scope, entry, budget, one(scope, id)),
  ]);
  if (made === undefined) throw alreadyAimed("budget");
  return toBudget(made);
}

/** Budgets in the order they were made. */
export async function listBudgets(scope: TenantScope, page: PageQuery): Promise<Page<Budget>> {
  const after = idAfter("budget", page.cursor);
  const rows = await scope.db
    .select()
    .from(budget)
    .where(
      and(
        eq(budget.tenantId, scope.tenantId),
        after === undefined ? undefined : gt(budget.id, after),
      ),
    )
    .orderBy(asc(budget.id))
    .limit(page.limit + 1);
  return pageOf(rows.map(toBudget), page.limit, ({ id }) => id);
}

/** @throws Problem `not_found` */
export async function getBudget(scope: TenantScope, id: string): Promise<Budget> {
  const [row] = await scope.db.select().from(budget).where(one(scope, id));
  if (row === undefined) throw new Problem("not_found", "no such budget");
  return toBudget(row);
}

/** @throws Problem `not_found` | `version_conflict` */
export async function patchBudget(
  scope: TenantScope,
  id: string,
  revision: number,
  patch: BudgetPatch,
  nowMs: number,
): Promise<Budget> {
  const {
    amount_micros: amountMicros,
    warn_at_percent: warnAtPct,
    when_exhausted: exhausted,
  } = patch;
  const detail = { amount_micros: amountMicros, when_exhausted: exhausted };
  const fact = { action: "budget.changed", kind: "budget", id, after: patch, detail };
  const entry = await auditRow(scope, fact, nowMs);
  const change = {
    ...(amountMicros === undefined ? {} : { amountMicros }),
    ...(warnAtPct === undefined ? {} : { warnAtPct }),
    ...(exhausted === undefined ? {} : { exhausted }),
  };
  const [[row]] = await scope.db.batch([
    scope.db
      .update(budget)
      .set({ ...change, revision: revision + 1, updatedAtMs: nowMs, lastChangeId: entry.id })
      .where(and(one(scope, id), eq(budget.revision, revision)))
      .returning(),
    bumpGenerations(scope, changedBy(scope, id, entry.id), nowMs),
    recordedIfChanged(scope, entry, budget, one(scope, id)),
  ]);
  if (row !== undefined) return toBudget(row);
  return missed(scope, id, revision);
}

/** @throws Problem `not_found` | `version_conflict` */
export async function deleteBudget(
  scope: TenantScope,
  id: string,
  revision: number,
  nowMs: number,
): Promise<void> {
  const { db } = scope;
  const current = and(one(scope, id), eq(budget.revision, revision));
  const entry = await auditRow(scope, { action: "budget.deleted", kind: "budget", id }, nowMs);
  // What looks for the row first: after the delete there is none left to find.
  const [, , [row]] = await db.batch([
    recordedWhere(scope, entry, budget, current),
    bumpGenerations(scope, exists(db.select({ id: budget.id }).from(budget).where(current)), nowMs),
    db.delete(budget).where(current).returning({ id: budget.id }),
  ]);
  if (row === undefined) await missed(scope, id, revision);
}

async function missed(scope: TenantScope, id: string, revision: number): Promise<never> {
  await getBudget(scope, id); // throws not_found when that is the reason
  throw new Problem("version_conflict", `the budget is no longer at revision ${revision}`);
}

function one(scope: TenantScope, id: string): SQL | undefined {
  return and(eq(budget.tenantId, scope.tenantId), eq(budget.id, id));
}

function changedBy(scope: TenantScope, id: string, change: string): SQL {
  const changed = and(one(scope, id), eq(budget.lastChangeId, change));
  return exists(scope.db.select({ id: budget.id }).from(budget).where(changed));
}

function toBudget(row: typeof budget.$inferSelect): Budget {
  return {
    id: row.id,
    level: row.level,
    subject: shownSubject(row.subject),
    period: row.period,
    amount_micros: row.amountMicros,
    amount_usd: usd(row.amountMicros),
    warn_at_percent: [...row.warnAtPct],
    when_exhausted: row.exhausted,
    revision: row.revision,
    created_at: rfc3339(row.createdAtMs),
    updated_at: rfc3339(row.updatedAtMs),
  };
}
