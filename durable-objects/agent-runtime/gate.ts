import { countObjectCall } from "../counters.ts";
import { holderOf } from "../tenant-gate/holders.ts";
import { gateStub } from "../tenant-gate/stub.ts";
import type { Ownership } from "./installation.ts";
import type { GatePorts } from "./top-up.ts";

/** The gate of the object's tenant. Nobody's object has none to ask, and nothing to ask it for. */
export function gatePorts(env: Env, ownership: Ownership): GatePorts {
  const asked = () => {
    const { owner } = ownership;
    if (owner === undefined) throw new Error("the object is nobody's");
    countObjectCall();
    const { tenantId } = owner;
    return { tenantId, holder: holderOf(owner), gate: gateStub(env, tenantId) };
  };
  return {
    async lease(wants) {
      const { tenantId, holder, gate } = asked();
      return gate.lease(tenantId, holder, wants);
    },
    async report(accounts) {
      const { tenantId, holder, gate } = asked();
      await gate.report(tenantId, holder, accounts);
    },
  };
}
