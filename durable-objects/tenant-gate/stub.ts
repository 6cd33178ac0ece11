import { gateName, type TenantGateRpc } from "./contract.ts";

/** The tenant's gate. A fresh stub each time: one that failed once stays broken. */
export function gateStub(env: Env, tenantId: string): TenantGateRpc {
  const stub: unknown = env.TENANT_GATE.getByName(gateName(tenantId));
  // The generated stub type rewraps every method and loses our unions; the class implements this.
  return stub as TenantGateRpc;
}
