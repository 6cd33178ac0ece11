import { type SQL, and, asc, eq, gt, inArray, isNull, lt } from "drizzle-orm";
import type { z } from "zod";
import { agentIds } from "../agents/live.ts";
import { auditRow, recordedIfChanged, recordedWhere } from "../audit/store-record.ts";
import { rfc3339 } from "../clock.ts";
import { idAfter } from "../db/keyset.ts";
import type { TenantScope } from "../db/scope.ts";
import { insertWhere } from "../db/statements.ts";
import { newId } from "../ids.ts";
import { type Page, pageOf } from "../page.ts";
import { Problem } from "../problem.ts";
import { RULES_MOST } from "../schedules/contract.ts";
import type { CreateTrigger, Trigger, TriggerListQuery, TriggerPatch } from "./contract.ts";
import { trigger } from "./table.ts";

/** Both agents, by id: names were looked up where it was decided that they may be used. */
export type TriggerEnds = { readonly agentId: string; readonly targetId: string };

/** @throws Problem `quota_exceeded` */
export async function createTrigger(
  scope: TenantScope,
  { agentId, targetId }: TriggerEnds,
  input: CreateTrigger,
  nowMs: number,
): Promise<Trigger> {
  const { db, tenantId, by } = scope;
  const id = newId("schedule", nowMs);
  const { environment, target_environment: targetEnvironment, paused } = input;
  const statuses = [...new Set(input.statuses)];
  const detail = { agent: agentId, environment, target: targetId, targetEnvironment, paused };
  const fact = { action: "trigger.created", kind: "trigger", id, after: input, detail };
  const entry = await auditRow(scope, fact, nowMs);
  const row = {
    tenantId,
    id,
    name: input.name,
    agentId,
    environment,
    statuses,
    targetId,
    targetEnvironment,
    input: input.input,
    maxCostMicros: input.max_cost_micros,
    pausedAtMs: paused ? nowMs : null,
    createdBy: by.ownerId ?? by.id,
    revision: 1,
    lastChangeId: entry.id,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  };
  const few = lt(db.$count(trigger, eq(trigger.tenantId, tenantId)), RULES_MOST);
  const [[made]] = await db.batch([
    insertWhere(db, trigger, row, null, few).returning(),
    recordedIfChanged(scope, entry, trigger, one(scope, id)),
  ]);
  if (made !== undefined) return toTrigger(made);
  throw new Problem("quota_exceeded", `a tenant has at most ${RULES_MOST} triggers`);
}

/** Triggers in the order they were made; of one agent's ends, when said. */
export async function listTriggers(
  scope: TenantScope,
  { agent, cursor, limit }: z.infer<typeof TriggerListQuery>,
): Promise<Page<Trigger>> {
  const after = idAfter("schedule", cursor);
  const rows = await scope.db
    .select()
    .from(trigger)
    .where(
      and(
        eq(trigger.tenantId, scope.tenantId),
        after === undefined ? undefined : gt(trigger.id, after),
        agent === undefined ? undefined : inArray(trigger.agentId, agentIds(scope, agent)),
      ),
    )
    .orderBy(asc(trigger.id))
    .limit(limit + 1);
  return pageOf(rows.map(toTrigger), limit, (row) => row.id);
}

/** @throws Problem `not_found` */
export async function getTrigger(scope: TenantScope, id: string): Promise<Trigger> {
  const [row] = await scope.db.select().from(trigger).where(one(scope, id));
  if (row === undefined) throw new Problem("not_found", "no such trigger");
  return toTrigger(row);
}

/** Those with these ids that are not paused; at most fifty. */
export async function findTriggers(
  { db, tenantId }: TenantScope,
  ids: readonly string[],
): Promise<readonly Trigger[]> {
  const rows = await db
    .select()
    .from(trigger)
    .where(
      and(
        eq(trigger.tenantId, tenantId),
        inArray(trigger.id, [...ids]),
        isNull(trigger.pausedAtMs),
      ),
    );
  return rows.map(toTrigger);
}

/** Those of the tenant that wait for ends of these agents, paused ones aside. */
export async function triggersOn(
  { db, tenantId }: TenantScope,
  agents: readonly string[],
): Promise<readonly Trigger[]> {
  const found: Trigger[] = [];
  for (let i = 0; i < agents.length; i += 50) {
    const rows = await db
      .select()
      .from(trigger)
      .where(
        and(
          eq(trigger.tenantId, tenantId),
          inArray(trigger.agentId, agents.slice(i, i + 50)),
          isNull(trigger.pausedAtMs),
        ),
      );
    found.push(...rows.map(toTrigger));
  }
  return found;
}

/** @throws Problem `not_found` | `version_conflict` */
export async function patchTrigger(
  scope: TenantScope,
  id: string,
  revision: number,
  patch: TriggerPatch,
  nowMs: number,
): Promise<Trigger> {
  const { db } = scope;
  const fact = { action: "trigger.changed", kind: "trigger", id, after: patch };
  const entry = await auditRow(scope, fact, nowMs);
  const { name, statuses, input, max_cost_micros: maxCostMicros, paused } = patch;
  const [[row]] = await db.batch([
    db
      .update(trigger)
      .set({
        ...(name === undefined ? {} : { name }),
        ...(statuses === undefined ? {} : { statuses: [...new Set(statuses)] }),
        ...(input === undefined ? {} : { input }),
        ...(maxCostMicros === undefined ? {} : { maxCostMicros }),
        ...(paused === undefined ? {} : { pausedAtMs: paused ? nowMs : null }),
        revision: revision + 1,
        lastChangeId: entry.id,
        updatedAtMs: nowMs,
      })
      .where(and(one(scope, id), eq(trigger.revision, revision)))
      .returning(),
    recordedIfChanged(scope, entry, trigger, one(scope, id)),
  ]);
  if (row !== undefined) return toTrigger(row);
  await getTrigger(scope, id); // throws not_found when that is the reason
  throw new Problem("version_conflict", `the trigger is no longer at revision ${revision}`);
}

/** Delete if still at `revision`; what it did stays listed. @throws Problem as `patchTrigger` */
export async function deleteTrigger(
  scope: TenantScope,
  id: string,
  revision: number,
  nowMs: number,
): Promise<void> {
  const { db } = scope;
  const current = and(one(scope, id), eq(trigger.revision, revision));
  const entry = await auditRow(scope, { action: "trigger.deleted", kind: "trigger", id }, nowMs);
  const [, [row]] = await db.batch([
    recordedWhere(scope, entry, trigger, current),
    db.delete(trigger).where(current).returning({ id: trigger.id }),
  ]);
  if (row !== undefined) return;
  await getTrigger(scope, id); // throws not_found when that is the reason
  throw new Problem("version_conflict", `the trigger is no longer at revision ${revision}`);
}

function one(scope: TenantScope, id: string): SQL | undefined {
  return and(eq(trigger.tenantId, scope.tenantId), eq(trigger.id, id));
}

function toTrigger(row: typeof trigger.$inferSelect): Trigger {
  return {
    id: row.id,
    name: row.name,
    agent_id: row.agentId,
    environment: row.environment,
    statuses: [...row.statuses],
    target_id: row.targetId,
    target_environment: row.targetEnvironment,
    input: row.input,
    max_cost_micros: row.maxCostMicros,
    paused: row.pausedAtMs !== null,
    created_by: row.createdBy,
    revision: row.revision,
    created_at: rfc3339(row.createdAtMs),
    updated_at: rfc3339(row.updatedAtMs),
  };
}
