import { DurableObject } from "cloudflare:workers";
import type { Admitted, Demand, RateRefusal, TenantGateRpc } from "./contract.ts";
import { Limits } from "./limits.ts";
import { migrateGate } from "./tables.ts";

/**
 * What one tenant has only one of: the order of its audit chain, and the counters of its limits.
 * Named JSON.stringify([tenantId]); storage in ./tables.ts.
 *
 * T1  The gate belongs to the tenant it was first asked for and answers for no other (G7).
 */
export class TenantGate extends DurableObject<Env> implements TenantGateRpc {
  #tenantId: string | undefined;
  readonly #limits = new Limits(this.ctx.storage);

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    migrateGate(ctx.storage); // synchronous: nothing is delivered before it returns
    const [row] = ctx.storage.sql
      .exec<{ value: string }>("SELECT value FROM meta WHERE key = 'tenant'")
      .toArray();
    this.#tenantId = row?.value;
  }

  async settle(tenantId: string): Promise<boolean> {
    return this.#is(tenantId);
  }

  async admit(tenantId: string, demands: readonly Demand[]): Promise<Admitted | RateRefusal> {
    this.#demand(tenantId);
    return this.#limits.admit(demands, Date.now());
  }

  /** @throws Error  a call for another tenant is a defect of the caller's (T1) */
  #demand(tenantId: string): void {
    if (!this.#is(tenantId)) throw new Error("a call for another tenant's gate");
  }

  #is(tenantId: string): boolean {
    if (this.#tenantId === undefined) {
      this.ctx.storage.sql.exec("INSERT INTO meta VALUES ('tenant', ?)", tenantId);
      this.#tenantId = tenantId;
    }
    return this.#tenantId === tenantId;
  }
}
