import { tenantScope } from "../../core/db/scope.ts";
import type { Release } from "../../core/deployments/release.ts";
import { priceOf } from "../../core/models/cost.ts";
import { loadRelease } from "../../core/releases/store.ts";
import type { Owner } from "./contract.ts";
import { platformOf } from "./settings.ts";
import type { Sql } from "./sql.ts";

/** Whose object this is: whoever first installed a release in it, for good (G7). */
export class Ownership {
  readonly #sql: Sql;
  #owner: Owner | undefined;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** The owner, or undefined while there is none. */
  get owner(): Owner | undefined {
    if (this.#owner) return this.#owner;
    const row = this.#sql.one<{ value: string }>("SELECT value FROM meta WHERE key = 'owner'");
    if (row) this.#owner = JSON.parse(row.value) as Owner;
    return this.#owner;
  }

  holds(claimed: Owner): boolean {
    const { owner } = this;
    return (
      owner !== undefined &&
      owner.tenantId === claimed.tenantId &&
      owner.agentId === claimed.agentId &&
      owner.environment === claimed.environment &&
      owner.replica === claimed.replica
    );
  }

  /** The same, and an object without an owner becomes `claimed`'s. */
  settle(claimed: Owner): boolean {
    if (this.owner) return this.holds(claimed);
    const { tenantId, agentId, environment, replica } = claimed;
    const owner = { tenantId, agentId, environment, replica };
    this.#sql.run("INSERT INTO meta VALUES ('owner', ?)", JSON.stringify(owner));
    this.#owner = owner;
    return true;
  }
}

/** What the control plane says is live here, or undefined. */
export async function pullRelease(env: Env, owner: Owner): Promise<Release | undefined> {
  const scope = tenantScope(platformOf(env), owner.tenantId);
  return loadRelease(scope, owner.agentId, owner.environment, owner.replica, priceOf);
}
