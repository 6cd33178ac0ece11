import { type SQL, and, eq, sql } from "drizzle-orm";
import type { TenantScope } from "../db/scope.ts";
import { agentEnvironment } from "./table.ts";

/**
 * A new generation for every pointer of the tenant, also for one nothing is live at yet: what runs
 * there is put together anew before its next run, and a build under way has read what was before,
 * finds that at its swap, and builds again.
 *
 * @param changed  Finds the change that this belongs to; without it nothing is written.
 */
export function bumpGenerations(scope: TenantScope, changed: SQL | undefined, nowMs: number) {
  return scope.db
    .update(agentEnvironment)
    .set({
      generation: sql`${agentEnvironment.allocated} + 1`,
      allocated: sql`${agentEnvironment.allocated} + 1`,
      updatedAtMs: nowMs,
    })
    .where(and(eq(agentEnvironment.tenantId, scope.tenantId), changed));
}
