/**
 * An object at rest: nothing runs, nothing is told, nothing changes.
 *
 * It is what an export is taken from and what an import leaves behind (DECISIONS 28). The object
 * stays at rest over restarts, until it is asked something while its tenant is active.
 */
import { tenantScope } from "../../core/db/scope.ts";
import { findTenantStatus } from "../../core/tenants/store-status.ts";
import type { Owner } from "./contract.ts";
import { pullRelease } from "./installation.ts";
import type { Meta } from "./meta.ts";
import type { Kernel } from "./kernel.ts";
import type { Runner } from "./runner.ts";
import { platformOf } from "./settings.ts";

export class Rest {
  readonly #meta: Meta;
  readonly #runner: Runner;
  readonly #kernel: Kernel;
  readonly #env: Env;
  #resting: boolean;

  constructor(kernel: Kernel, meta: Meta, runner: Runner, env: Env) {
    this.#meta = meta;
    this.#runner = runner;
    this.#kernel = kernel;
    this.#env = env;
    this.#resting = meta.get("resting") !== undefined;
    if (this.#resting || meta.get("erased") !== undefined) runner.rest();
  }

  get resting(): boolean {
    return this.#resting;
  }

  begin(): void {
    if (!this.#resting) this.#meta.set("resting", "1");
    this.#resting = true;
    this.#runner.rest();
  }

  /** The storage was emptied: there is nothing left to go on with. */
  emptied(): void {
    this.#resting = false;
    this.#runner.rest();
  }

  /**
   * Go on, if the control plane says that the tenant is active. False: still at rest.
   *
   * Asked of the store, not of the caller: what a Worker knows of a tenant may be seconds old, and
   * an export would then read an object that has begun to run again.
   */
  async end(owner: Owner): Promise<boolean> {
    if (!this.#resting) return true;
    const status = await findTenantStatus(tenantScope(platformOf(this.#env), owner.tenantId));
    if (status !== "active") return false;
    if (this.#meta.get("arrived") !== undefined) await this.#settleIn(owner);
    if (!this.#resting) return true; // another call was first
    this.#meta.unset("resting");
    this.#resting = false;
    this.#runner.resume();
    return true;
  }

  /**
   * Releases stay behind when an object moves: they hold keys of the platform it comes from. What
   * was open there under one that is not here goes on under what is live.
   */
  async #settleIn(owner: Owner): Promise<void> {
    const release = await pullRelease(this.#env, owner);
    const { sql, releases } = this.#kernel;
    if (release !== undefined) {
      releases.put(release);
      releases.live(release.generation);
      sql.run(
        `UPDATE invocation SET generation = ?, version = ? WHERE completed_ms IS NULL
         AND generation NOT IN (SELECT generation FROM release)`,
        release.generation,
        release.version,
      );
    }
    this.#kernel.spend.look();
    this.#meta.unset("arrived");
  }
}
