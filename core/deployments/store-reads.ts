/** Deployments as they are shown: one with its events, and an agent's list. */
import { and, desc, eq, inArray, lt } from "drizzle-orm";
import { oneAgent } from "../agents/live.ts";
import { agent } from "../agents/table.ts";
import { rfc3339 } from "../clock.ts";
import { idAfter } from "../db/keyset.ts";
import type { TenantScope } from "../db/scope.ts";
import { type Page, type PageQuery, pageOf } from "../page.ts";
import { Problem } from "../problem.ts";
import type { Deployment, DeploymentSummary } from "./contract.ts";
import { eventRows, one } from "./store-transitions.ts";
import { deployment, type deploymentEvent } from "./table.ts";

/** @throws Problem `not_found` */
export async function getDeployment(scope: TenantScope, id: string): Promise<Deployment> {
  const { db } = scope;
  const [[row], events] = await db.batch([
    db.select().from(deployment).where(one(scope, id)),
    eventRows(scope, id),
  ]);
  if (row === undefined) throw new Problem("not_found", "no such deployment");
  return toDeployment(row, events);
}

/** Deployments of one agent, newest first. @throws Problem `not_found` for the agent */
export async function listDeployments(
  scope: TenantScope,
  agentId: string,
  page: PageQuery,
): Promise<Page<DeploymentSummary>> {
  const { db } = scope;
  const before = idAfter("deployment", page.cursor);
  const owner = db.select({ id: agent.id }).from(agent).where(oneAgent(scope, agentId));
  const [owners, rows] = await db.batch([
    owner,
    db
      .select()
      .from(deployment)
      .where(
        and(
          eq(deployment.tenantId, scope.tenantId),
          inArray(deployment.agentId, owner),
          before === undefined ? undefined : lt(deployment.id, before),
        ),
      )
      .orderBy(desc(deployment.id))
      .limit(page.limit + 1),
  ]);
  if (owners.length === 0) throw new Problem("not_found", "no such agent");
  return pageOf(rows.map(toSummary), page.limit, (row) => row.id);
}

type EventRow = Pick<typeof deploymentEvent.$inferSelect, "atMs" | "status" | "detail">;

/** A row and its events on the wire. */
export function toDeployment(
  row: typeof deployment.$inferSelect,
  events: readonly EventRow[],
): Deployment {
  return {
    ...toSummary(row),
    events: events.map(({ atMs, status, detail }) => ({ at: rfc3339(atMs), status, detail })),
  };
}

function toSummary(row: typeof deployment.$inferSelect): DeploymentSummary {
  return {
    id: row.id,
    agent_id: row.agentId,
    version: row.version,
    environment: row.environment,
    status: row.status,
    error: row.error && { code: row.error.code, detail: row.error.detail },
    created_at: rfc3339(row.createdAtMs),
    updated_at: rfc3339(row.updatedAtMs),
  };
}
