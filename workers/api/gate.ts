import type { TenantGateRpc } from "../../durable-objects/tenant-gate/contract.ts";
import { gateStub } from "../../durable-objects/tenant-gate/stub.ts";
import { countObjectCall } from "../../durable-objects/counters.ts";

/** The tenant's gate, for one call in the way of a request. */
export function gateOf(env: Env, tenantId: string): TenantGateRpc {
  countObjectCall();
  return gateStub(env, tenantId);
}
