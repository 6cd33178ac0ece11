/**
 * A deleted agent's objects end: what they owe the ledger is taken over first (DECISIONS 22), then
 * nothing of them is left. The listing and the usage records stay with the tenant.
 */
import { acknowledgeOutbox, dueAgentEnds } from "../../core/db/outbox.ts";
import { tenantScope } from "../../core/db/scope.ts";
import { Problem } from "../../core/problem.ts";
import { logFault } from "./batch.ts";
import { type SweepJob, eraseObjects } from "./erase-tenant.ts";
import { ownersOf, settleLedger } from "./export.ts";

/** Take up deleted agents that are due. Returns how many there were. */
export async function eraseDeletedAgents(
  job: SweepJob,
  nowMs: number,
  limit: number,
): Promise<number> {
  const due = await dueAgentEnds(job.platform, nowMs, limit);
  for (const { outboxId, tenantId, agentId } of due) {
    try {
      await eraseAgent(job, tenantId, agentId);
      await acknowledgeOutbox(job.platform, outboxId); // last: dying before repeats the rest
    } catch (error) {
      logFault("a deleted agent will be taken up again", error);
    }
  }
  return due.length;
}

async function eraseAgent(job: SweepJob, tenantId: string, agentId: string): Promise<void> {
  const scope = tenantScope(job.platform, tenantId);
  for await (const owner of ownersOf(scope, agentId)) {
    Problem.unwrap(await job.runtimeOf(owner).rest(owner, "cancel"));
    await settleLedger(job, scope, owner);
  }
  await eraseObjects(job, scope, agentId);
}
