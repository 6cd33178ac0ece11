import type { AgentSpec } from "../../core/agents/spec.ts";
import { tenantScope } from "../../core/db/scope.ts";
import type { Release } from "../../core/deployments/release.ts";
import { priceOf } from "../../core/models/cost.ts";
import { loadRelease, loadVersion } from "../../core/releases/store.ts";
import type { Changes } from "./branch.ts";
import type { Owner } from "./contract.ts";
import { platformOf } from "./settings.ts";
import type { Meta } from "./meta.ts";

/** Whose object this is: whoever first installed a release in it, for good (G7). */
export class Ownership {
  readonly #meta: Meta;
  #owner: Owner | undefined;

  constructor(meta: Meta) {
    this.#meta = meta;
  }

  /** The owner, or undefined while there is none. */
  get owner(): Owner | undefined {
    if (this.#owner) return this.#owner;
    const text = this.#meta.get("owner");
    if (text !== undefined) this.#owner = JSON.parse(text) as Owner;
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

  /** The same, and an object without an owner becomes `claimed`'s; an erased one nobody's. */
  settle(claimed: Owner): boolean {
    if (this.owner) return this.holds(claimed);
    if (this.#meta.get("erased") !== undefined) return false;
    const { tenantId, agentId, environment, replica } = claimed;
    const owner = { tenantId, agentId, environment, replica };
    this.#meta.set("owner", JSON.stringify(owner));
    this.#owner = owner;
    return true;
  }

  /** Its storage was emptied: it is nobody's. */
  end(): void {
    this.#owner = undefined;
  }
}

/** What the control plane says is live here, or undefined. */
export async function pullRelease(env: Env, owner: Owner): Promise<Release | undefined> {
  const scope = tenantScope(platformOf(env), owner.tenantId);
  return loadRelease(scope, owner.agentId, owner.environment, owner.replica, priceOf);
}

/** What would be live here were it this version, changed like that; undefined when there is no such. */
export async function pullVersion(
  env: Env,
  owner: Owner,
  version: number,
  changes: Changes,
): Promise<Release | undefined> {
  const scope = tenantScope(platformOf(env), owner.tenantId);
  const change = (spec: AgentSpec): AgentSpec =>
    spec.kind === "llm" ? { ...spec, ...changes } : spec;
  return loadVersion(scope, owner, { version, change }, priceOf);
}
