import type { Allowance } from "../../core/limits/rules.ts";
import { refuse, type Quota, type Refusal } from "../../core/problem.ts";
import type { Account, Grant, Want } from "../tenant-gate/contract-leases.ts";
import type { Need, Purse } from "./purse.ts";

/** The tenant's gate, as an object with these leases asks and tells it. */
export type GatePorts = {
  lease(wants: readonly Want[]): Promise<readonly Grant[]>;
  report(accounts: readonly Account[]): Promise<void>;
};

type Grants = ReadonlyMap<string, Grant>;
type Round = {
  readonly needs: Map<string, { readonly of: Allowance; units: number }>;
  readonly answer: PromiseWithResolvers<Grants | undefined>;
};

/**
 * Asks the gate, one question at a time: what comes while one is under way is asked together in the
 * next, so that a hundred requests at a limit are two calls.
 */
export class TopUps {
  readonly #purse: Purse;
  readonly #gate: GatePorts;
  readonly #now: () => number;
  #next: Round | undefined;
  #current: Round | undefined;
  #asking = false;

  constructor(purse: Purse, gate: GatePorts, now: () => number) {
    this.#purse = purse;
    this.#gate = gate;
    this.#now = now;
  }

  /** What the gate said, by name; undefined when it cannot be asked. */
  raise(needs: readonly Need[]): Promise<Grants | undefined> {
    this.#next ??= { needs: new Map(), answer: Promise.withResolvers() };
    const round = this.#next;
    for (const { of, units } of needs) {
      const known = round.needs.get(nameOf(of));
      if (known) known.units += units;
      else round.needs.set(nameOf(of), { of, units });
    }
    if (!this.#asking) void this.#ask();
    return round.answer.promise;
  }

  /** Does somebody wait for more of it? */
  awaited(of: Allowance): boolean {
    const name = nameOf(of);
    return [this.#current, this.#next].some((round) => round?.needs.has(name));
  }

  /** Tell the gate what it does not know yet. */
  async report(): Promise<void> {
    const accounts = this.#purse.untold(this.#now());
    if (accounts.length === 0) return;
    await this.#gate.report(accounts);
    this.#purse.told(accounts, this.#now());
  }

  async #ask(): Promise<void> {
    this.#asking = true;
    for (let round = this.#next; round; round = this.#next) {
      this.#next = undefined;
      this.#current = round;
      round.answer.resolve(await this.#answer(round));
      // Who waited for this one takes what it brought before the next one counts what is free.
      await new Promise((resolve) => setTimeout(resolve, 0));
      this.#current = undefined;
    }
    this.#asking = false;
  }

  async #answer({ needs }: Round): Promise<Grants | undefined> {
    try {
      const grants = await this.#gate.lease([...needs.values()].map((need) => this.#want(need)));
      for (const grant of grants) this.#purse.granted(grant);
      return new Map(grants.map((grant) => [keyOf(grant.id, grant.sinceMs), grant]));
    } catch (e) {
      console.error(
        JSON.stringify({ level: "error", event: "gate.unreachable", detail: String(e) }),
      );
      return undefined;
    }
  }

  #want({ of, units }: Need): Want {
    const { rule, kind, cap, revision, window, warnAtPct } = of;
    const need = Math.max(0, units - this.#purse.free(of));
    const account = this.#purse.account(of);
    return { ...account, rule, kind, cap, revision, endsMs: window.endsMs, warnAtPct, need };
  }
}

/** The refusal of what the gate had too little of; undefined when it had enough. */
export function exhausted(
  needs: readonly Need[],
  grants: Grants,
  purse: Purse,
  nowMs: number,
): Refusal | undefined {
  const need = needs.find(({ of }) => grants.get(nameOf(of))?.short);
  if (need === undefined) return undefined;
  const { of, units } = need;
  const left = Math.max(0, (grants.get(nameOf(of))?.left ?? 0) + purse.free(of));
  const { endsMs, sinceMs } = of.window;
  const resetMs = endsMs === null ? null : Math.max(0, endsMs - nowMs);
  const periodMs = endsMs === null ? null : endsMs - sinceMs;
  const quota: Quota = { name: of.rule, limit: of.cap, periodMs, remaining: left, resetMs };
  const wait = of.kind === "concurrency" ? 1000 : resetMs;
  const options = { quotas: [quota], ...(wait === null ? {} : { retryAfterMs: wait }) };
  if (of.kind !== "money") {
    return refuse("rate_limited", `${of.rule} (${of.about}) admits ${of.cap}`, options);
  }
  const resets = endsMs === null ? "never" : new Date(endsMs).toISOString();
  const detail = `${of.rule} (${of.about}) has ${left} of ${of.cap} micro-USD left beside what is put aside for steps under way, and a step may cost ${units}; it resets ${resets}`;
  return refuse("budget_exceeded", detail, options);
}

function nameOf({ id, window }: Allowance): string {
  return keyOf(id, window.sinceMs);
}

function keyOf(id: string, sinceMs: number): string {
  return `${id} ${sinceMs}`;
}
