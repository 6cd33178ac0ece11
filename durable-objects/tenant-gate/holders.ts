import { objectName } from "../../core/deployments/release.ts";
import type { AgentRuntimeRpc, Owner } from "../agent-runtime/contract.ts";
import type { AskHolder } from "./leases.ts";

/** A holder's name in the gate's book: its object's. */
export function holderOf({ tenantId, agentId, environment, replica }: Owner): string {
  return objectName(tenantId, agentId, environment, replica);
}

/** Asks agents' objects for what they hold. */
export function askHolder(env: Env): AskHolder {
  return async (holder, asked, give) => {
    const stub: unknown = env.AGENT_RUNTIME.getByName(holder);
    const [tenantId, agentId, environment, replica] = JSON.parse(holder) as HolderParts;
    const owner = { tenantId, agentId, environment, replica };
    // The generated stub type rewraps every method and loses our unions; the class implements this.
    const answer = await (stub as AgentRuntimeRpc).leases(owner, asked, give);
    if (answer.ok) return answer.accounts;
    return answer.problem.code === "not_found" ? "gone" : undefined;
  };
}

/** As `holderOf` wrote it. */
type HolderParts = readonly [string, string, string, number];
