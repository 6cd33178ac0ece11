import { and, eq, exists, isNotNull, isNull } from "drizzle-orm";
import { auditRow, recordedIfChanged } from "../audit/store-record.ts";
import type { TenantScope } from "../db/scope.ts";
import { bumpGenerations } from "../deployments/store-generations.ts";
import { agentEnvironment } from "../deployments/table.ts";
import { liveAgents } from "./live.ts";
import type { Agent } from "./contract.ts";
import { getAgent } from "./store.ts";
import { agent } from "./table.ts";

/**
 * Pause an agent, or let it go on. What is live of it gets a new generation in the same batch, so
 * that no object goes on under what it knew before; again is no change.
 *
 * @throws Problem `not_found`
 */
export async function setPaused(
  scope: TenantScope,
  id: string,
  paused: boolean,
  nowMs: number,
): Promise<Agent> {
  const { db, tenantId } = scope;
  const before = await getAgent(scope, id);
  if ((before.paused_at !== null) === paused) return before;
  const after = { ...before, paused };
  const action = paused ? "agent.paused" : "agent.resumed";
  const entry = await auditRow(scope, { action, kind: "agent", id, before, after }, nowMs);
  const itself = and(liveAgents(scope), eq(agent.id, id));
  const other = paused ? isNull(agent.pausedAtMs) : isNotNull(agent.pausedAtMs);
  const changed = db
    .select({ id: agent.id })
    .from(agent)
    .where(and(eq(agent.tenantId, tenantId), eq(agent.id, id), eq(agent.lastChangeId, entry.id)));
  await db.batch([
    db
      .update(agent)
      .set({ pausedAtMs: paused ? nowMs : null, updatedAtMs: nowMs, lastChangeId: entry.id })
      .where(and(itself, other)),
    recordedIfChanged(scope, entry, agent, itself),
    bumpGenerations(scope, and(eq(agentEnvironment.agentId, id), exists(changed)), nowMs),
  ]);
  return getAgent(scope, id);
}
