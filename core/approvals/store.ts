import { and, desc, eq, inArray, isNull, lt } from "drizzle-orm";
import type { z } from "zod";
import { agentIds } from "../agents/live.ts";
import { rfc3339 } from "../clock.ts";
import { insertRows } from "../db/bulk.ts";
import { idAfter } from "../db/keyset.ts";
import type { TenantScope } from "../db/scope.ts";
import { excluded, runAll, target } from "../db/statements.ts";
import { type Page, pageOf } from "../page.ts";
import type { ApprovalEntry, ApprovalListQuery, ApprovalSummary } from "./contract.ts";
import { approval } from "./table.ts";

/** A summary, and whose it is. */
export type ListedApproval = ApprovalSummary & { readonly agentId: string };

/** Take over what an object reports; by id, and what was decided is never rewritten. */
export async function upsertApprovals(
  scope: TenantScope,
  entries: readonly ApprovalEntry[],
): Promise<void> {
  const byId = new Map(entries.map((entry) => [entry.id, toRow(scope.tenantId, entry)]));
  if (byId.size === 0) return;
  const listed = insertRows(scope, approval, [...byId.values()]).onConflictDoUpdate({
    target: target(approval.tenantId, approval.id),
    set: { status: excluded(approval.status), decidedAtMs: excluded(approval.decidedAtMs) },
    setWhere: isNull(approval.decidedAtMs),
  });
  await runAll(scope.db, [listed]);
}

/** Newest first. A filter that names nothing of this tenant gives an empty page. */
export async function listApprovals(
  scope: TenantScope,
  { agent, status, cursor, limit }: z.infer<typeof ApprovalListQuery>,
): Promise<Page<ListedApproval>> {
  const before = idAfter("approval", cursor);
  const rows = await scope.db
    .select()
    .from(approval)
    .where(
      and(
        eq(approval.tenantId, scope.tenantId),
        before === undefined ? undefined : lt(approval.id, before),
        agent === undefined ? undefined : inArray(approval.agentId, agentIds(scope, agent)),
        status === undefined ? undefined : eq(approval.status, status),
      ),
    )
    .orderBy(desc(approval.id))
    .limit(limit + 1);
  return pageOf(rows.map(toListed), limit, (row) => row.id);
}

function toRow(tenantId: string, entry: ApprovalEntry): typeof approval.$inferInsert {
  return {
    tenantId,
    id: entry.id,
    agentId: entry.agentId,
    agent: entry.agent,
    environment: entry.environment,
    invocationId: entry.invocation_id,
    kind: entry.kind,
    name: entry.name,
    status: entry.status,
    createdAtMs: Date.parse(entry.created_at),
    expiresAtMs: Date.parse(entry.expires_at),
    decidedAtMs: entry.decided_at === null ? null : Date.parse(entry.decided_at),
  };
}

function toListed(row: typeof approval.$inferSelect): ListedApproval {
  return {
    id: row.id,
    agentId: row.agentId,
    invocation_id: row.invocationId,
    agent: row.agent,
    environment: row.environment,
    kind: row.kind,
    name: row.name,
    status: row.status,
    created_at: rfc3339(row.createdAtMs),
    expires_at: rfc3339(row.expiresAtMs),
    decided_at: row.decidedAtMs === null ? null : rfc3339(row.decidedAtMs),
  };
}
