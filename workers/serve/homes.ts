import type { LiveAgent } from "../../core/deployments/contract.ts";
import { type Addressed, homeOfCall } from "../../core/deployments/homes.ts";
import type { Owner } from "../../durable-objects/agent-runtime/contract.ts";
import { runtimeOf } from "../api/runtime.ts";

/**
 * The object a call to this agent belongs to; a promise only when the number of its replicas has
 * changed, and then for the calls alone that may have had another home before.
 */
export function ownerOf(
  env: Env,
  tenantId: string,
  { agentId, environment, homes }: LiveAgent,
  addressed: Addressed,
): Owner | Promise<Owner> {
  const at = { tenantId, agentId, environment };
  if (homes === null) return { ...at, replica: 0 };
  const { replica, earlier } = homeOfCall(homes, addressed, Math.random);
  const owner = { ...at, replica };
  if (earlier.length === 0) return owner;
  return knownAt(
    env,
    earlier.map((before) => ({ tenantId, agentId, environment, replica: before })),
    addressed,
  ).then((before) => before ?? owner);
}

/** The first of these that has the session or the request, asked side by side. */
async function knownAt(
  env: Env,
  owners: readonly Owner[],
  addressed: Addressed,
): Promise<Owner | undefined> {
  const known = await Promise.all(
    owners.map((owner) => runtimeOf(env, owner).knows(owner, addressed)),
  );
  return owners[known.indexOf(true)];
}
