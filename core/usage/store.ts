import {
  type SQL,
  and,
  asc,
  countDistinct,
  desc,
  eq,
  gte,
  inArray,
  like,
  lt,
  lte,
  or,
  sql,
} from "drizzle-orm";
import { agentIds } from "../agents/live.ts";
import { rfc3339 } from "../clock.ts";
import { insertRows } from "../db/bulk.ts";
import type { TenantScope } from "../db/scope.ts";
import { isId } from "../ids.ts";
import { usd } from "../invocations/contract.ts";
import { type Page, decodeCursor, pageOf } from "../page.ts";
import { Problem } from "../problem.ts";
import type {
  LedgerEntry,
  UsageEntry,
  UsageListQuery,
  UsageRecordWire,
  UsageTotal,
  UsageTotalsQuery,
} from "./contract.ts";
import { usageRecord } from "./table.ts";

/** Statements that write the calls of `entries`; a call that is there already stays as it is. */
export function usageInserts(scope: TenantScope, entries: readonly LedgerEntry[]) {
  const byId = new Map(
    entries.flatMap((entry) =>
      entry.usage.map((call) => [call.id, toRow(scope.tenantId, entry, call)] as const),
    ),
  );
  if (byId.size === 0) return [];
  return [insertRows(scope, usageRecord, [...byId.values()]).onConflictDoNothing()];
}

/** Calls, newest invocation first. */
export async function listUsage(
  scope: TenantScope,
  query: UsageListQuery,
): Promise<Page<UsageRecordWire>> {
  const before = positionBefore(query.cursor);
  const rows = await scope.db
    .select()
    .from(usageRecord)
    .where(and(...filters(scope, query), before))
    .orderBy(desc(usageRecord.invocationId), asc(usageRecord.id))
    .limit(query.limit + 1);
  const page = pageOf(rows, query.limit, (row) => JSON.stringify([row.invocationId, row.id]));
  return { ...page, data: page.data.map(toWire) };
}

/**
 * Sums over all matching calls by what is asked for; at most 400 rows, by key. By key they are of
 * API keys alone.
 *
 * An invocation whose calls fall on two days counts on both.
 */
export async function usageTotals(
  scope: TenantScope,
  query: UsageTotalsQuery,
): Promise<readonly UsageTotal[]> {
  const by = {
    day: usageRecord.day,
    agent: usageRecord.agentId,
    model: usageRecord.model,
    key: usageRecord.principal,
    project: usageRecord.projectId,
    user: usageRecord.userId,
  }[query.by];
  const rows = await scope.db
    .select({
      key: by,
      invocations: countDistinct(usageRecord.invocationId),
      modelCalls: sql`sum(case when ${usageRecord.step} like 'model.%' then 1 else 0 end)`.mapWith(
        Number,
      ),
      inputTokens: sql`sum(${usageRecord.inputTokens})`.mapWith(Number),
      outputTokens: sql`sum(${usageRecord.outputTokens})`.mapWith(Number),
      costMicros: sql`sum(${usageRecord.costMicros})`.mapWith(Number),
    })
    .from(usageRecord)
    .where(and(...filters(scope, query), query.by === "key" ? like(by, "key_%") : undefined))
    .groupBy(by)
    .orderBy(asc(by))
    .limit(400);
  return rows.map((row) => ({
    key: row.key ?? "",
    invocations: row.invocations,
    model_calls: row.modelCalls,
    input_tokens: row.inputTokens,
    output_tokens: row.outputTokens,
    cost_micros: row.costMicros,
    cost_usd: usd(row.costMicros),
  }));
}

function filters(
  scope: TenantScope,
  query: Omit<UsageTotalsQuery, "by"> & { readonly invocation?: string | undefined },
): readonly (SQL | undefined)[] {
  const { agent, since, until, invocation } = query;
  return [
    eq(usageRecord.tenantId, scope.tenantId),
    agent === undefined ? undefined : inArray(usageRecord.agentId, agentIds(scope, agent)),
    invocation === undefined ? undefined : eq(usageRecord.invocationId, invocation),
    since === undefined ? undefined : gte(usageRecord.day, since),
    until === undefined ? undefined : lte(usageRecord.day, until),
  ];
}

/** Rows after the cursor's: an older invocation, or a later call of the same one. */
function positionBefore(cursor: string | undefined): SQL | undefined {
  if (cursor === undefined) return undefined;
  const [, invocationId, id] =
    /^\["(inv_[0-9a-z]{26})","([\x20-\x21\x23-\x5b\x5d-\x7e]{1,200})"\]$/.exec(
      decodeCursor(cursor),
    ) ?? [];
  if (invocationId === undefined || id === undefined || !isId("invocation", invocationId)) {
    throw new Problem("bad_request", "the cursor is not one of this list's", {
      errors: [{ pointer: "cursor", detail: "not a cursor of this list" }],
    });
  }
  const same = and(eq(usageRecord.invocationId, invocationId), sql`${usageRecord.id} > ${id}`);
  return or(lt(usageRecord.invocationId, invocationId), same);
}

function toRow(
  tenantId: string,
  entry: LedgerEntry,
  call: UsageEntry,
): typeof usageRecord.$inferInsert {
  return {
    tenantId,
    id: call.id,
    invocationId: entry.invocation.id,
    step: call.step,
    agentId: entry.agentId,
    environment: entry.invocation.environment,
    principal: entry.principal,
    model: call.model,
    inputTokens: call.inputTokens,
    outputTokens: call.outputTokens,
    estimated: call.estimated ? 1 : 0,
    costMicros: call.costMicros,
    atMs: call.atMs,
    day: rfc3339(call.atMs).slice(0, 10),
    projectId: entry.projectId ?? null,
    userId: entry.userId ?? null,
  };
}

function toWire(row: typeof usageRecord.$inferSelect): UsageRecordWire {
  return {
    invocation_id: row.invocationId,
    step: row.step,
    agent_id: row.agentId,
    environment: row.environment,
    project_id: row.projectId,
    principal: row.principal,
    user_id: row.userId,
    model: row.model,
    input_tokens: row.inputTokens,
    output_tokens: row.outputTokens,
    estimated: row.estimated === 1,
    cost_micros: row.costMicros,
    cost_usd: usd(row.costMicros),
    at: rfc3339(row.atMs),
  };
}
