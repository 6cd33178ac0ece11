import type { Principal } from "../../core/principals/contract.ts";
import { speakerId } from "../../core/principals/contract.ts";
import type { Owner } from "../../durable-objects/agent-runtime/contract.ts";
import type { BranchCall } from "../../durable-objects/agent-runtime/contract-replays.ts";
import type { Arrival } from "../edge/arrival.ts";
import { fingerprintOf, idempotencyKeyOf } from "../edge/idempotency.ts";
import { traceparentOf } from "../edge/request-id.ts";
import { liveAgent } from "../serve/live-agents.ts";

/** As much of a request's context as this needs. */
type Reach = {
  get(key: "arrival"): Arrival;
  get(key: "principal"): Principal;
};

/**
 * The call that makes an invocation out of another one, under the generation that is live now.
 *
 * @param what  Says in the fingerprint what is made of which invocation.
 * @throws Problem `not_found` | `not_deployed` when nothing is live there
 */
export async function branchCall(
  c: Reach,
  owner: Owner,
  what: string,
  body: unknown = null,
): Promise<BranchCall> {
  const [arrival, principal] = [c.get("arrival"), c.get("principal")];
  const { agentId: agent, environment } = owner;
  const { generation } = await liveAgent({ arrival, principal, agent, environment });
  const key = idempotencyKeyOf(arrival.request.headers);
  const traceparent = traceparentOf(arrival.request.headers);
  return {
    owner,
    generation,
    principal: speakerId(principal),
    fingerprint: fingerprintOf("POST", what, body),
    requestId: arrival.requestId,
    deltas: true,
    ...(key === undefined ? {} : { idempotencyKey: key }),
    ...(traceparent === undefined ? {} : { traceparent }),
  };
}
