import { DurableObject } from "cloudflare:workers";
import { Chain } from "../../core/audit/chaining.ts";
import type { Checkpoint } from "../../core/audit/contract.ts";
import { tenantScope } from "../../core/db/scope.ts";
import { recordWarning } from "../../core/budgets/store-warnings.ts";
import type { KeyUse } from "../../core/keys/use.ts";
import type { CreditBudget, Credits } from "../../core/limits/contract.ts";
import type { Refusal } from "../../core/problem.ts";
import type {
  Acknowledged,
  ObjectCursor,
  ObjectPage,
  ObjectRow,
} from "../agent-runtime/contract.ts";
import { configOf, platformOf } from "../agent-runtime/settings.ts";
import { keptIn } from "./chain.ts";
import type {
  Admitted,
  Demand,
  Head,
  RateRefusal,
  Returned,
  SpendRefusal,
  Spending,
  Spent,
  TenantGateRpc,
} from "./contract.ts";
import { CreditBook } from "./credits.ts";
import { countUses, usesSince } from "./key-use.ts";
import type { Account, AllowanceUse, Grant, Resized, Want } from "./contract-leases.ts";
import { askHolder } from "./holders.ts";
import { LeaseBook } from "./leases.ts";
import { GateLife } from "./life.ts";
import { rowReader } from "./readable.ts";
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
  readonly #credits = new CreditBook(this.ctx.storage, this.#limits);
  readonly #chain = new Chain({
    kept: keptIn(this.ctx.storage),
    scope: () => tenantScope(platformOf(this.env), this.#tenantId ?? ""),
    signing: () => configOf(this.env).tokenSigningJwk,
    now: () => Date.now(),
  });

  readonly #leases = new LeaseBook(
    this.ctx.storage,
    askHolder(this.env, () => this.#tenantId),
  );
  readonly #life = new GateLife(this.ctx.storage);

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

  async spend(tenantId: string, spending: Spending): Promise<Spent | SpendRefusal> {
    this.#demand(tenantId);
    return this.#credits.spend(spending, Date.now());
  }

  async giveBack(tenantId: string, returned: Returned): Promise<void> {
    this.#demand(tenantId);
    this.#credits.giveBack(returned);
  }

  async creditsLeft(tenantId: string, subject: string, budget: CreditBudget): Promise<Credits> {
    this.#demand(tenantId);
    return this.#credits.left(subject, budget, Date.now());
  }

  async count(tenantId: string, uses: readonly KeyUse[]): Promise<void> {
    if (this.#life.erased) return; // told late: there is nothing left to count for
    this.#demand(tenantId);
    countUses(this.ctx.storage, uses);
  }

  async usesOf(tenantId: string, keyId: string, sinceDay: string): Promise<readonly KeyUse[]> {
    this.#demand(tenantId);
    return usesSince(this.ctx.storage, keyId, sinceDay);
  }

  async lease(tenantId: string, holder: string, wants: readonly Want[]): Promise<readonly Grant[]> {
    this.#demand(tenantId);
    const grants = await this.#leases.lease(holder, wants, Date.now());
    this.ctx.waitUntil(this.#tellWarnings());
    return grants;
  }

  async report(tenantId: string, holder: string, accounts: readonly Account[]): Promise<void> {
    if (this.#life.erased) return;
    this.#demand(tenantId);
    this.#leases.report(holder, accounts, Date.now());
    await this.#tellWarnings();
  }

  async resize(tenantId: string, resized: Resized): Promise<void> {
    this.#demand(tenantId);
    await this.#leases.resize(resized, Date.now());
  }

  async used(
    tenantId: string,
    rule: string,
    page: { readonly subject?: string; readonly limit: number },
  ): Promise<readonly AllowanceUse[]> {
    this.#demand(tenantId);
    return this.#leases.used(rule, page, Date.now());
  }

  async chain(tenantId: string): Promise<Head> {
    this.#demand(tenantId);
    return { head: await this.#chain.extend() };
  }

  async head(tenantId: string): Promise<Head> {
    this.#demand(tenantId);
    return { head: this.#chain.head() };
  }

  async checkpoint(tenantId: string): Promise<{ readonly checkpoint: Checkpoint | null }> {
    this.#demand(tenantId);
    return { checkpoint: await this.#chain.sign() };
  }

  async exportPage(tenantId: string, cursor?: ObjectCursor): Promise<ObjectPage | Refusal> {
    this.#demand(tenantId);
    return this.#life.exportPage(cursor);
  }

  async importPage(
    tenantId: string,
    transfer: string,
    rows: readonly ObjectRow[],
  ): Promise<Acknowledged | Refusal> {
    const fresh = this.#tenantId === undefined;
    const readable = rowReader(tenantId);
    // An erased gate begins anew.
    const answer = this.#life.importPage(transfer, rows, { fresh, readable });
    this.#demand(tenantId);
    return answer;
  }

  async erase(tenantId: string): Promise<Acknowledged> {
    if (!this.#life.erased) this.#demand(tenantId);
    const erased = await this.#life.erase();
    this.#tenantId = undefined;
    return erased;
  }

  /** A threshold that was reached goes into the trail, once; again later if it cannot be now. */
  async #tellWarnings(): Promise<void> {
    const untold = this.#leases.untold();
    if (untold.length === 0) return;
    const scope = tenantScope(platformOf(this.env), this.#tenantId ?? "");
    for (const warning of untold) {
      this.#leases.told(warning); // before the wait: another call must not tell it too
      await recordWarning(scope, warning, Date.now()).catch(() => this.#leases.untell(warning));
    }
  }

  /** @throws Error  a call for another tenant is a defect of the caller's (T1) */
  #demand(tenantId: string): void {
    if (!this.#is(tenantId)) throw new Error("a call for another tenant's gate");
  }

  #is(tenantId: string): boolean {
    if (this.#tenantId === undefined) {
      if (this.#life.erased) return false;
      this.ctx.storage.sql.exec("INSERT INTO meta VALUES ('tenant', ?)", tenantId);
      this.#tenantId = tenantId;
    }
    return this.#tenantId === tenantId;
  }
}
