/**
 * The state machine's one move, and the conditions it is guarded by.
 *
 * `queued → building → live → superseded`, `queued | building → failed`, `building → superseded`:
 * each a guarded update under the name of its change, and the event is written where that update
 * is found (DECISIONS 26).
 */
import { type SQL, and, asc, eq, exists, sql } from "drizzle-orm";
import { type AuditRow, auditRow, recordedWhere } from "../audit/store-record.ts";
import type { TenantScope } from "../db/scope.ts";
import { insertWhere } from "../db/statements.ts";
import type { ProblemData } from "../problem.ts";
import type { DeploymentStatus } from "./contract.ts";
import { agentEnvironment, deployment, deploymentEvent } from "./table.ts";

/** Move the deployments that `where` finds to `status`, under the name of this change. */
export function transition(
  scope: TenantScope,
  status: DeploymentStatus,
  change: string,
  nowMs: number,
  where: SQL | undefined,
  error: ProblemData | null = null,
) {
  return scope.db
    .update(deployment)
    .set({
      status,
      error,
      revision: sql`${deployment.revision} + 1`,
      lastChangeId: change,
      updatedAtMs: nowMs,
    })
    .where(and(eq(deployment.tenantId, scope.tenantId), where));
}

/** An event for each deployment that this change moved; none where its guard missed. */
export function eventsOf(scope: TenantScope, change: string, detail: string, nowMs: number) {
  return insertWhere(
    scope.db,
    deploymentEvent,
    {
      tenantId: scope.tenantId,
      deploymentId: sql`${deployment.id}`,
      seq: sql`${deployment.revision}`,
      status: sql`${deployment.status}`,
      detail,
      atMs: nowMs,
    },
    deployment,
    and(eq(deployment.tenantId, scope.tenantId), eq(deployment.lastChangeId, change)),
  );
}

/** The audit entry of a move to `status`, not written yet. */
export function moveEntry(
  scope: TenantScope,
  status: DeploymentStatus,
  nowMs: number,
): Promise<AuditRow> {
  const fact = { action: `deployment.${status}`, kind: "deployment", id: "" };
  return auditRow(scope, fact, nowMs);
}

/** That entry, for the one deployment that this change moved there; none where its guard missed. */
export function recordedMove(
  scope: TenantScope,
  entry: AuditRow,
  status: DeploymentStatus,
  change: string,
) {
  const moved = and(
    eq(deployment.tenantId, scope.tenantId),
    eq(deployment.lastChangeId, change),
    eq(deployment.status, status),
  );
  return recordedWhere(scope, { ...entry, resourceId: sql`${deployment.id}` }, deployment, moved);
}

/** The deployment's events, oldest first. */
export function eventRows(scope: TenantScope, id: string) {
  return scope.db
    .select()
    .from(deploymentEvent)
    .where(and(eq(deploymentEvent.tenantId, scope.tenantId), eq(deploymentEvent.deploymentId, id)))
    .orderBy(asc(deploymentEvent.seq));
}

/** A condition for other statements: this change moved this deployment. */
export function changed(scope: TenantScope, id: string, change: string): SQL {
  const row = and(one(scope, id), eq(deployment.lastChangeId, change));
  return exists(scope.db.select({ id: deployment.id }).from(deployment).where(row));
}

/** The deployment with this id, if it is the tenant's. */
export function one({ tenantId }: TenantScope, id: string): SQL | undefined {
  return and(eq(deployment.tenantId, tenantId), eq(deployment.id, id));
}

/** The pointer of an agent in an environment. */
export function pointerAt(
  scope: TenantScope,
  agentId: string,
  environment: string,
): SQL | undefined {
  return and(
    eq(agentEnvironment.tenantId, scope.tenantId),
    eq(agentEnvironment.agentId, agentId),
    eq(agentEnvironment.environment, environment),
  );
}
