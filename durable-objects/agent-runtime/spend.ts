/**
 * Limits, budgets and stops, as one object keeps to them.
 *
 * Sequence: what is needed is looked at and taken in one transaction, of the accept or of a step →
 * where too little is held, the gate is asked before it (DECISIONS 6) and it is looked at again.
 * A release without rules comes to none of this.
 */
import { type InvocationRow, metadataOf } from "./invocations.ts";
import type { Clock } from "../../core/clock.ts";
import type { Rules } from "../../core/limits/contract.ts";
import {
  allowancesOf,
  budgetsOf,
  invocationBudget,
  stopOf,
  userOf,
  type Who,
} from "../../core/limits/rules.ts";
import { defaultProjectId } from "../../core/projects/contract.ts";
import { refuse, type Refusal } from "../../core/problem.ts";
import type { Release } from "../../core/deployments/release.ts";
import type { Account, Asked } from "../tenant-gate/contract-leases.ts";
import type { Fact } from "./events.ts";
import { RunFailure, Suspended } from "./failure.ts";
import { Purse, type Need } from "./purse.ts";
import type { Sql } from "./sql.ts";
import { findFirst, sumOf } from "./steps.ts";
import { exhausted, TopUps, type GatePorts } from "./top-up.ts";

/** Times the gate is asked for one decision. */
const ROUNDS = 2;

/** Not enough is held here: the gate must be asked, and the decision made anew. */
type Short = Refusal & { readonly short: readonly Need[] };

/** What an invocation takes when it is accepted, and the most it may cost by its own budgets. */
export type Demand = {
  readonly ok: true;
  readonly needs: readonly Need[];
  readonly boundMicros: number | undefined;
};

/** Thrown out of a step that more must be held for. */
class Lacking extends Error {
  override readonly name = "Lacking";
  readonly needs: readonly Need[];
  constructor(needs: readonly Need[]) {
    super("more must be held");
    this.needs = needs;
  }
}

/** What is to be written of the step before, should this one not be made. */
type Known = { readonly facts: readonly Fact[]; readonly record: () => void };

const NOTHING: Known = { facts: [], record: () => {} };

type Asker = {
  readonly principal: string;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
};

export class Spend {
  readonly #sql: Sql;
  readonly #live: () => Release | undefined;
  readonly #purse: Purse;
  readonly #topUps: TopUps;
  readonly #now: Clock;
  /** A decision is made anew by one that has waited. */
  #served = false;

  /** @param live  The release that is live: its rules hold for what is under way as well. */
  constructor(sql: Sql, live: () => Release | undefined, gate: GatePorts, now: Clock) {
    this.#sql = sql;
    this.#live = live;
    this.#purse = new Purse(sql);
    this.#topUps = new TopUps(this.#purse, gate, now);
    this.#now = now;
  }

  /** What the gate asks of a holder. */
  asked(asked: readonly Asked[], give: boolean): readonly Account[] {
    return this.#purse.asked(asked, give);
  }

  /** Tell the gate what it does not know yet. */
  report(): Promise<void> {
    return this.#topUps.report();
  }

  /** What an accept needs; undefined for a release that no rule concerns. */
  demand(
    release: Release,
    asker: Asker,
    worstMicros: number,
    nowMs: number,
  ): Demand | Refusal | undefined {
    const { rules } = release;
    if (rules === undefined) return undefined;
    const who = whoOf(release, asker);
    const stop = stopOf(rules, who);
    if (stop) return refuse("stopped", `${stop.id} (${stop.level}): ${stop.reason}`);
    const needs = allowancesOf(rules, who, nowMs).map((of): Need => {
      return { of, units: of.kind === "money" ? worstMicros : 1 };
    });
    const boundMicros = invocationBudget(rules, who)?.amountMicros;
    return { ok: true, needs, boundMicros };
  }

  /** Too little is held, or others wait for it already: nobody overtakes them. */
  short({ needs }: Demand): Short | undefined {
    const waits = (need: Need): boolean =>
      need.units > 0 && !this.#served && this.#topUps.awaited(need.of);
    const short = needs.filter((need) => this.#purse.lacks(need) || waits(need));
    return short.length === 0 ? undefined : { ...BUSY, short };
  }

  take(invocationId: string, { needs }: Demand): void {
    this.#purse.take(invocationId, needs);
  }

  /** Rows may have come that are not of this life's making. */
  look(): void {
    this.#purse.look();
  }

  /** Does the invocation have anything reserved? */
  holds(invocationId: string): boolean {
    return this.#purse.has(invocationId);
  }

  /** Must its steps be paid for out of a budget? */
  concerns(invocationId: string): boolean {
    return this.#rules() !== undefined || this.#purse.has(invocationId);
  }

  /** The most it may cost by its own budgets, as they are now. */
  boundOf(asker: Asker): number | undefined {
    const live = this.#live();
    if (live?.rules === undefined) return undefined;
    return invocationBudget(live.rules, whoOf(live, asker))?.amountMicros;
  }

  /** Ask the gate for what an accept lacks and decide anew. */
  async retried<T extends { readonly ok: true }>(
    first: Refusal,
    again: () => T | Refusal,
  ): Promise<T | Refusal> {
    let decided: T | Refusal = first;
    for (let round = 0; isShort(decided); round += 1) {
      const refused = await this.#raise(decided.short, round);
      decided = this.#serve(again);
      if (isShort(decided) && refused) return refused;
    }
    return decided;
  }

  /**
   * What a step may cost, at the worst, put aside; a function for the transaction that marks it
   * sent, or undefined where no budget is concerned.
   *
   * @throws Lacking  inside `funded`, which asks the gate.
   */
  putAside(invocationId: string, worstMicros: number): (() => void) | undefined {
    if (!this.concerns(invocationId)) return undefined;
    const needs = this.#budgets(invocationId).map((of): Need => ({ of, units: worstMicros }));
    if (needs.length === 0 && !this.#purse.has(invocationId)) return undefined;
    // What is put aside now is free for it again: looked at and written in one transaction.
    return () => {
      const spentMicros = this.#spent(invocationId);
      this.#purse.putAside(invocationId, [], spentMicros);
      const short = needs.filter((need) => this.#purse.lacks(need));
      if (short.length > 0) throw new Lacking(short);
      this.#purse.putAside(invocationId, needs, spentMicros);
    };
  }

  /**
   * Make a step that puts money aside, and ask the gate in between where it lacks some.
   *
   * @param known  Written with the failure or the wait.
   *
   * @throws RunFailure `budget_exceeded` | Suspended until the budget's next period
   */
  async funded<T>(step: () => T, known: Known = NOTHING): Promise<T> {
    for (let round = 0; ; round += 1) {
      try {
        return step();
      } catch (e) {
        if (!(e instanceof Lacking)) throw e;
        const refused = await this.#raise(e.needs, round);
        if (refused) return this.#last(step, e.needs, refused, known);
      }
    }
  }

  /** In the transaction of its end. */
  ended(invocationId: string, costMicros: number): void {
    if (this.#purse.has(invocationId)) this.#purse.settle(invocationId, costMicros);
  }

  /** In the transaction that puts it off: while it does not run, no money is put aside for it. */
  rested(invocationId: string): void {
    if (!this.#purse.has(invocationId)) return;
    this.#purse.release(invocationId, this.#spent(invocationId));
  }

  /** The stop that holds an open invocation, if one does. */
  stopOf(asker: Asker): { readonly id: string; readonly reason: string } | undefined {
    const live = this.#live();
    return live?.rules && stopOf(live.rules, whoOf(live, asker));
  }

  #serve<T>(decide: () => T): T {
    this.#served = true;
    try {
      return decide();
    } finally {
      this.#served = false;
    }
  }

  /** The gate was asked and had too little: once more, for what came free, and then that is it. */
  #last<T>(step: () => T, needs: readonly Need[], refused: Refusal, known: Known): T {
    try {
      return step();
    } catch (e) {
      if (!(e instanceof Lacking)) throw e;
      const waits = needs.filter(({ of }) => of.exhausted === "wait" && of.window.endsMs !== null);
      const { facts, record } = known;
      if (waits.length < needs.length) throw new RunFailure(refused.problem, false, facts, record);
      const resetsMs = Math.max(...waits.map(({ of }) => of.window.endsMs ?? 0));
      throw new Suspended("budget", resetsMs, facts, record);
    }
  }

  async #raise(needs: readonly Need[], round: number): Promise<Refusal | undefined> {
    if (round >= ROUNDS) return BUSY;
    const grants = await this.#topUps.raise(needs);
    if (grants === undefined) return UNREACHABLE;
    return exhausted(needs, grants, this.#purse, this.#now());
  }

  /** What its steps have cost up to now, lost sends included. */
  #spent(invocationId: string): number {
    const first = findFirst(this.#sql, invocationId) ?? null;
    return sumOf(this.#sql, invocationId, first, true).cost_micros;
  }

  #rules(): Rules | undefined {
    return this.#live()?.rules;
  }

  #budgets(invocationId: string) {
    const live = this.#live();
    if (live?.rules === undefined) return [];
    const row = this.#sql.one<{ principal: string; metadata: string | null }>(
      "SELECT principal, metadata FROM invocation WHERE id = ?",
      invocationId,
    );
    if (row === undefined) return [];
    return budgetsOf(live.rules, whoOf(live, askerOf(this.#sql, row)), this.#now());
  }
}

/** Who made an invocation, as its row has it. */
export function askerOf(sql: Sql, row: Pick<InvocationRow, "principal" | "metadata">) {
  return { principal: row.principal, metadata: metadataOf(sql, row) };
}

function whoOf({ tenantId, agentId, projectId }: Release, { principal, metadata }: Asker): Who {
  return {
    tenantId,
    agentId,
    projectId: projectId ?? defaultProjectId(tenantId),
    principal,
    userId: userOf(principal, metadata ?? {}),
  };
}

function isShort(decided: { readonly ok: boolean }): decided is Short {
  return !decided.ok && "short" in decided;
}

const UNREACHABLE = refuse("overloaded", "limits and budgets cannot be checked now", {
  retryAfterMs: 1000,
});
const BUSY = refuse("overloaded", "others were faster with what was left; ask again", {
  retryAfterMs: 1000,
});
