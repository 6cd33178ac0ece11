import { z } from "zod";
import { objectName } from "../../core/deployments/release.ts";
import type { AgentRuntimeRpc, Owner } from "../agent-runtime/contract.ts";
import type { AskHolder } from "./leases.ts";

/** A holder's name in the gate's book: its object's. */
export function holderOf({ tenantId, agentId, environment, replica }: Owner): string {
  return objectName(tenantId, agentId, environment, replica);
}

/**
 * Asks agents' objects for what they hold.
 *
 * @param tenantId  Whose gate asks. The book may have come in a file, which is not trusted (I2): an
 *   object of another tenant holds nothing of this one's, and is not asked (G7).
 */
export function askHolder(env: Env, tenantId: () => string | undefined): AskHolder {
  return async (holder, asked, give) => {
    const owner = ownerIn(holder);
    if (owner === undefined || owner.tenantId !== tenantId()) return "gone";
    const stub: unknown = env.AGENT_RUNTIME.getByName(holder);
    // The generated stub type rewraps every method and loses our unions; the class implements this.
    const answer = await (stub as AgentRuntimeRpc).leases(owner, asked, give);
    if (answer.ok) return answer.accounts;
    return answer.problem.code === "not_found" ? "gone" : undefined;
  };
}

const Parts = z.tuple([z.string(), z.string(), z.string(), z.number().int()]);

/** The inverse of `holderOf`; undefined for a name it never wrote. */
export function ownerIn(holder: string): Owner | undefined {
  const parts = Parts.safeParse(jsonOf(holder));
  if (!parts.success) return undefined;
  const [tenantId, agentId, environment, replica] = parts.data;
  return { tenantId, agentId, environment, replica };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
