import { type SQL, and, desc, eq, gte, inArray, isNull, lt, lte } from "drizzle-orm";
import type { z } from "zod";
import { agentIds } from "../agents/live.ts";
import { batchResultInserts } from "../batches/store-chunks.ts";
import { rfc3339 } from "../clock.ts";
import { letterStatements } from "../dead-letters/store.ts";
import { insertRows } from "../db/bulk.ts";
import { idAfter } from "../db/keyset.ts";
import type { TenantScope } from "../db/scope.ts";
import { excluded, runAll, target } from "../db/statements.ts";
import { type Page, pageOf } from "../page.ts";
import type { LedgerEntry } from "../usage/contract.ts";
import { usageInserts } from "../usage/store.ts";
import { type InvocationListQuery, type InvocationSummary, usd } from "./contract.ts";
import { invocation } from "./table.ts";

/**
 * Take over what an object reports: invocations for the listing, calls for the ledger.
 *
 * One batch of two statements for a whole page. By id, so a page that comes again changes nothing: a completed invocation and a usage record are never rewritten.
 */
export async function upsertLedger(
  scope: TenantScope,
  entries: readonly LedgerEntry[],
): Promise<void> {
  // One row for one id in a statement: Postgres refuses to touch a row twice in one upsert.
  const byId = new Map(entries.map((entry) => [entry.invocation.id, toRow(scope.tenantId, entry)]));
  if (byId.size === 0) return;
  const listed = insertRows(scope, invocation, [...byId.values()]).onConflictDoUpdate({
    target: target(invocation.tenantId, invocation.id),
    set: {
      status: excluded(invocation.status),
      error: excluded(invocation.error),
      usage: excluded(invocation.usage),
      costMicros: excluded(invocation.costMicros),
      attempts: excluded(invocation.attempts),
      completedAtMs: excluded(invocation.completedAtMs),
    },
    setWhere: isNull(invocation.completedAtMs),
  });
  await runAll(scope.db, [
    listed,
    ...usageInserts(scope, entries),
    ...letterStatements(scope, entries),
    ...batchResultInserts(scope, entries),
  ]);
}

/** Newest first. A filter that names nothing of this tenant gives an empty page. */
export async function listInvocations(
  scope: TenantScope,
  query: z.infer<typeof InvocationListQuery>,
): Promise<Page<InvocationSummary>> {
  const before = idAfter("invocation", query.cursor);
  const rows = await scope.db
    .select()
    .from(invocation)
    .where(
      and(
        eq(invocation.tenantId, scope.tenantId),
        before === undefined ? undefined : lt(invocation.id, before),
        ...filters(scope, query),
      ),
    )
    .orderBy(desc(invocation.id))
    .limit(query.limit + 1);
  return pageOf(rows.map(toSummary), query.limit, (row) => row.id);
}

/** The agents of a page's invocations, by invocation; for what the listing may show to whom. */
export async function agentsOfInvocations(
  { db, tenantId }: TenantScope,
  ids: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const [first, last] = [ids.at(0), ids.at(-1)];
  if (first === undefined || last === undefined) return new Map();
  // A range, not a list: a page is newest first, and a hundred ids would pass D1's bound parameters.
  const rows = await db
    .select({ id: invocation.id, agentId: invocation.agentId })
    .from(invocation)
    .where(
      and(eq(invocation.tenantId, tenantId), lte(invocation.id, first), gte(invocation.id, last)),
    );
  return new Map(rows.map(({ id, agentId }) => [id, agentId]));
}

function filters(
  scope: TenantScope,
  query: z.infer<typeof InvocationListQuery>,
): readonly (SQL | undefined)[] {
  const { agent, status, session, since } = query;
  return [
    agent === undefined ? undefined : inArray(invocation.agentId, agentIds(scope, agent)),
    status === undefined ? undefined : eq(invocation.status, status),
    session === undefined ? undefined : eq(invocation.sessionId, session),
    since === undefined ? undefined : gte(invocation.createdAtMs, Date.parse(since)),
  ];
}

function toRow(tenantId: string, entry: LedgerEntry): typeof invocation.$inferInsert {
  const { invocation: of, agentId, principal } = entry;
  return {
    tenantId,
    id: of.id,
    agentId,
    agent: of.agent,
    version: of.version,
    environment: of.environment,
    sessionId: of.session_id,
    principal,
    status: of.status,
    error: of.error,
    usage: of.usage,
    costMicros: of.cost_micros,
    attempts: of.attempts,
    redrivenFrom: of.redriven_from,
    createdAtMs: Date.parse(of.created_at),
    completedAtMs: of.completed_at === null ? null : Date.parse(of.completed_at),
  };
}

function toSummary(row: typeof invocation.$inferSelect): InvocationSummary {
  return {
    id: row.id,
    agent: row.agent,
    version: row.version,
    environment: row.environment,
    session_id: row.sessionId,
    status: row.status,
    error: row.error,
    usage: row.usage,
    cost_micros: row.costMicros,
    cost_usd: usd(row.costMicros),
    attempts: row.attempts,
    redriven_from: row.redrivenFrom,
    created_at: rfc3339(row.createdAtMs),
    completed_at: row.completedAtMs === null ? null : rfc3339(row.completedAtMs),
  };
}
