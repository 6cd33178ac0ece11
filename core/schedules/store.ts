import { type SQL, and, asc, eq, gt, inArray, isNotNull, lt, lte } from "drizzle-orm";
import type { z } from "zod";
import { agentIds } from "../agents/live.ts";
import { auditRow, recordedIfChanged, recordedWhere } from "../audit/store-record.ts";
import { rfc3339 } from "../clock.ts";
import { idAfter } from "../db/keyset.ts";
import type { PlatformScope, TenantScope } from "../db/scope.ts";
import { insertWhere } from "../db/statements.ts";
import type { NewFiring } from "../firings/contract.ts";
import { firingInsert } from "../firings/store.ts";
import { newId } from "../ids.ts";
import { type Page, pageOf } from "../page.ts";
import { Problem } from "../problem.ts";
import { tenant } from "../tenants/table.ts";
import {
  type CreateSchedule,
  RULES_MOST,
  type Schedule,
  type ScheduleListQuery,
  type SchedulePatch,
} from "./contract.ts";
import { nextOf } from "./due.ts";
import { schedule } from "./table.ts";

export type ScheduleRow = typeof schedule.$inferSelect;

/**
 * @param agentId  An agent of this tenant.
 * @throws Problem `quota_exceeded`
 */
export async function createSchedule(
  scope: TenantScope,
  agentId: string,
  input: CreateSchedule,
  nowMs: number,
): Promise<Schedule> {
  const { db, tenantId, by } = scope;
  const id = newId("schedule", nowMs);
  const { cron, zone, environment, missed, paused } = input;
  const detail = { agent: agentId, environment, cron, zone, missed, paused };
  const fact = { action: "schedule.created", kind: "schedule", id, after: input, detail };
  const entry = await auditRow(scope, fact, nowMs);
  const row = {
    tenantId,
    id,
    name: input.name,
    agentId,
    environment,
    cron,
    zone,
    input: input.input,
    sessionId: input.session_id,
    maxCostMicros: input.max_cost_micros,
    missed,
    pausedAtMs: paused ? nowMs : null,
    nextMs: paused ? null : (nextOf(input, nowMs) ?? null),
    lastMs: null,
    createdBy: by.ownerId ?? by.id,
    revision: 1,
    lastChangeId: entry.id,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  };
  const few = lt(db.$count(schedule, eq(schedule.tenantId, tenantId)), RULES_MOST);
  const [[made]] = await db.batch([
    insertWhere(db, schedule, row, null, few).returning(),
    recordedIfChanged(scope, entry, schedule, one(scope, id)),
  ]);
  if (made !== undefined) return toSchedule(made);
  throw new Problem("quota_exceeded", `a tenant has at most ${RULES_MOST} schedules`);
}

/** Schedules in the order they were made. */
export async function listSchedules(
  scope: TenantScope,
  { agent, cursor, limit }: z.infer<typeof ScheduleListQuery>,
): Promise<Page<Schedule>> {
  const after = idAfter("schedule", cursor);
  const rows = await scope.db
    .select()
    .from(schedule)
    .where(
      and(
        eq(schedule.tenantId, scope.tenantId),
        after === undefined ? undefined : gt(schedule.id, after),
        agent === undefined ? undefined : inArray(schedule.agentId, agentIds(scope, agent)),
      ),
    )
    .orderBy(asc(schedule.id))
    .limit(limit + 1);
  return pageOf(rows.map(toSchedule), limit, (row) => row.id);
}

/** @throws Problem `not_found` */
export async function getSchedule(scope: TenantScope, id: string): Promise<ScheduleRow> {
  const [row] = await scope.db.select().from(schedule).where(one(scope, id));
  if (row === undefined) throw new Problem("not_found", "no such schedule");
  return row;
}

/**
 * Change a schedule that is still at `revision`. Another rule, and the end of a pause, count from
 * now: what would have come before is not missed.
 *
 * @throws Problem `not_found` | `version_conflict`
 */
export async function patchSchedule(
  scope: TenantScope,
  id: string,
  revision: number,
  patch: SchedulePatch,
  nowMs: number,
): Promise<Schedule> {
  const before = await getSchedule(scope, id);
  const fact = { action: "schedule.changed", kind: "schedule", id, after: patch };
  const entry = await auditRow(scope, fact, nowMs);
  const { db } = scope;
  const current = and(one(scope, id), eq(schedule.revision, revision));
  const [[row]] = await db.batch([
    db
      .update(schedule)
      .set({
        ...changesOf(patch),
        ...timesAfter(before, patch, nowMs),
        revision: revision + 1,
        lastChangeId: entry.id,
        updatedAtMs: nowMs,
      })
      .where(current)
      .returning(),
    recordedIfChanged(scope, entry, schedule, one(scope, id)),
  ]);
  if (row !== undefined) return toSchedule(row);
  await getSchedule(scope, id); // throws not_found when that is the reason
  throw new Problem("version_conflict", `the schedule is no longer at revision ${revision}`);
}

/** Delete if still at `revision`; what it did stays listed. @throws Problem as `patchSchedule` */
export async function deleteSchedule(
  scope: TenantScope,
  id: string,
  revision: number,
  nowMs: number,
): Promise<void> {
  const { db } = scope;
  const current = and(one(scope, id), eq(schedule.revision, revision));
  const entry = await auditRow(scope, { action: "schedule.deleted", kind: "schedule", id }, nowMs);
  const [, [row]] = await db.batch([
    recordedWhere(scope, entry, schedule, current),
    db.delete(schedule).where(current).returning({ id: schedule.id }),
  ]);
  if (row !== undefined) return;
  await getSchedule(scope, id); // throws not_found when that is the reason
  throw new Problem("version_conflict", `the schedule is no longer at revision ${revision}`);
}

/** Schedules of active tenants whose time has come, longest waiting first. */
export async function dueSchedules(
  { db }: PlatformScope,
  nowMs: number,
  limit: number,
): Promise<readonly ScheduleRow[]> {
  const rows = await db
    .select({ schedule })
    .from(schedule)
    .innerJoin(tenant, eq(tenant.id, schedule.tenantId))
    .where(
      and(isNotNull(schedule.nextMs), lte(schedule.nextMs, nowMs), eq(tenant.status, "active")),
    )
    .orderBy(asc(schedule.nextMs))
    .limit(limit);
  return rows.map((row) => row.schedule);
}

/**
 * What came of occurrences, and the next one, in one batch. One that was paused or changed meanwhile
 * keeps the time it was given.
 *
 * @param nextMs  The first occurrence that is not dealt with; null when none comes any more.
 */
export async function advanceSchedule(
  scope: TenantScope,
  { id, nextMs: before }: Pick<ScheduleRow, "id" | "nextMs">,
  {
    firings,
    nextMs,
    lastMs,
  }: {
    readonly firings: readonly NewFiring[];
    readonly nextMs: number | null;
    readonly lastMs: number;
  },
  nowMs: number,
): Promise<void> {
  const { db } = scope;
  const unchanged = before === null ? undefined : eq(schedule.nextMs, before);
  const advance = db
    .update(schedule)
    .set({ nextMs, lastMs })
    .where(and(one(scope, id), unchanged));
  if (firings.length === 0) await advance;
  else await db.batch([advance, firingInsert(scope, firings, nowMs)]);
}

function changesOf({ name, cron, zone, input, missed, ...rest }: SchedulePatch) {
  return {
    ...(name === undefined ? {} : { name }),
    ...(cron === undefined ? {} : { cron }),
    ...(zone === undefined ? {} : { zone }),
    ...(input === undefined ? {} : { input }),
    ...(missed === undefined ? {} : { missed }),
    ...(rest.session_id === undefined ? {} : { sessionId: rest.session_id }),
    ...(rest.max_cost_micros === undefined ? {} : { maxCostMicros: rest.max_cost_micros }),
  };
}

function timesAfter(before: ScheduleRow, { cron, zone, paused }: SchedulePatch, nowMs: number) {
  const rests = paused ?? before.pausedAtMs !== null;
  if (rests) return { pausedAtMs: before.pausedAtMs ?? nowMs, nextMs: null };
  const wakes = before.pausedAtMs !== null;
  if (!wakes && cron === undefined && zone === undefined) return {};
  const timed = { cron: cron ?? before.cron, zone: zone ?? before.zone };
  return { pausedAtMs: null, nextMs: nextOf(timed, nowMs) ?? null };
}

function one(scope: TenantScope, id: string): SQL | undefined {
  return and(eq(schedule.tenantId, scope.tenantId), eq(schedule.id, id));
}

export function toSchedule(row: ScheduleRow): Schedule {
  const at = (ms: number | null) => (ms === null ? null : rfc3339(ms));
  return {
    id: row.id,
    name: row.name,
    agent_id: row.agentId,
    environment: row.environment,
    cron: row.cron,
    zone: row.zone,
    input: row.input,
    session_id: row.sessionId,
    max_cost_micros: row.maxCostMicros,
    missed: row.missed,
    paused: row.pausedAtMs !== null,
    next_run_at: at(row.nextMs),
    last_run_at: at(row.lastMs),
    created_by: row.createdBy,
    revision: row.revision,
    created_at: rfc3339(row.createdAtMs),
    updated_at: rfc3339(row.updatedAtMs),
  };
}
