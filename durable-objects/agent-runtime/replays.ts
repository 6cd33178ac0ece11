/**
 * What can be done with an invocation that has ended: executed again over its journal, forked,
 * resumed, read as a receipt. Its own row and steps never change (A4).
 */
import { canRepeat, ERASED } from "./erasing.ts";
import { terminal } from "../../core/invocations/contract.ts";
import { refuse, type Refusal } from "../../core/problem.ts";
import type { ForkBody, ReplayBody } from "../../core/replays/contract.ts";
import { branchIn, type Branch, type Changes } from "./branch.ts";
import { unpack } from "./content.ts";
import type { Answered, Call, Found, Owner } from "./contract.ts";
import type { Amendment, BranchCall, ForkWish, ResumeWish } from "./contract-replays.ts";
import { pullVersion } from "./installation.ts";
import type { Incarnation } from "./incarnation.ts";
import { findByKey, findByKeyOfAny, type InvocationRow, metadataOf } from "./invocations.ts";
import type { Kernel } from "./kernel.ts";
import { amend, amendedInput, contentOf } from "./letters.ts";
import { emptyPrefix, planPrefix, type Planned } from "./prefix.ts";
import { receiptOf } from "./receipt.ts";
import { replayRun } from "./replay.ts";
import type { Installed } from "./releases.ts";
import { listSteps, modelKey } from "./steps.ts";
import { textOf } from "./text.ts";
import { replayUpstream } from "./upstream/replay-upstream.ts";
import type { Sql } from "./sql.ts";

/** A spec to go by, and whether it has to be stored for that. */
type Basis =
  | { readonly ok: true; readonly installed: Installed; readonly aside: boolean }
  | Refusal;

export class Replays {
  readonly #kernel: Kernel;
  readonly #env: Env;
  readonly #self: Incarnation;

  constructor(self: Incarnation, env: Env) {
    this.#kernel = self.kernel;
    this.#env = env;
    this.#self = self;
  }

  async replay(owner: Owner, id: string, wish: ReplayBody): Promise<Found | Refusal> {
    const found = await this.#ended(owner, id);
    if (!found.ok) return found;
    const { row } = found;
    const version = wish.version ?? row.version;
    const basis = await this.#recorded(owner, row, version);
    if (!basis.ok) return basis;
    const { installed } = basis;
    const replay =
      installed.kind === "llm"
        ? await replayRun(this.#kernel, row, installed)
        : replayUpstream(this.#kernel, row, installed);
    return { ok: true, body: textOf(JSON.stringify(replay)) };
  }

  async fork(
    owner: Owner,
    id: string,
    wish: ForkWish,
    call: BranchCall,
  ): Promise<Answered | Refusal> {
    const found = await this.#ended(owner, id);
    if (!found.ok) return found;
    const { row } = found;
    const input = wish.input === undefined ? undefined : JSON.stringify(wish.input);
    const whole = {
      ...call,
      ...kept(this.#kernel.sql, row, wish),
      input: input ?? unpack(this.#kernel.sql, row.input),
    };
    if (this.#known(call)) return this.#self.branch(whole, undefined);
    const was = branchOf(row);
    const changes = changesOf(was?.changes ?? {}, wish);
    const basis = await this.#basis(owner, call.generation, wish.version ?? row.version, changes);
    if (!basis.ok) return basis;
    const branch = { how: "fork", from: row.id, before: placeBefore(row, was), changes } as const;
    const planned = await this.#forked(row, branch, basis, wish, input);
    return planned.ok ? this.#self.branch(whole, planned.prefix) : planned;
  }

  async resume(
    owner: Owner,
    id: string,
    wish: ResumeWish,
    call: BranchCall,
  ): Promise<Answered | Refusal> {
    const found = await this.#ended(owner, id);
    if (!found.ok) return found;
    const { row } = found;
    if (row.status === "succeeded") return refuse("conflict", "it has succeeded: fork or retry it");
    const { sql } = this.#kernel;
    const input = wish.amended ? amendedInput(sql, id) : undefined;
    const whole: Call = {
      ...call,
      ...kept(sql, row, {}),
      input: input ?? unpack(sql, row.input),
      sessionId: row.session_id,
      redrivenFrom: row.id,
    };
    const made = wish.amended ? redriveOf(sql, id, call) : undefined;
    if (made) return this.#self.branch({ ...whole, ...made }, undefined);
    if (this.#known(call)) return this.#self.branch(whole, undefined);
    const was = branchOf(row);
    const forked = Object.keys(was?.changes ?? {}).length > 0 ? row.version : undefined;
    const version = wish.version ?? forked;
    const basis = await this.#basis(owner, call.generation, version, was?.changes ?? {});
    if (!basis.ok) return basis;
    const planned = await this.#resumed(row, was, basis, wish, input);
    return planned.ok ? this.#self.branch(whole, planned.prefix) : planned;
  }

  async receipt(owner: Owner, id: string): Promise<Found | Refusal> {
    const found = await this.#self.find(owner, id);
    if (!found.ok) return found;
    const at = { kernel: this.#kernel, owner, naming: this.#self.naming(owner) };
    const receipt = receiptOf(at, found.row);
    return { ok: true, body: textOf(JSON.stringify(receipt)) };
  }

  async letter(owner: Owner, id: string): Promise<Found | Refusal> {
    const found = await this.#ended(owner, id);
    if (!found.ok) return found;
    return { ok: true, body: textOf(JSON.stringify(contentOf(this.#kernel.sql, found.row))) };
  }

  async amend(owner: Owner, id: string, amendment: Amendment): Promise<Found | Refusal> {
    const found = await this.#ended(owner, id);
    if (!found.ok) return found;
    const amended = amend(this.#kernel, found.row, amendment);
    return amended.ok ? this.letter(owner, id) : amended;
  }

  async #forked(
    row: InvocationRow,
    branch: Omit<Branch, "step">,
    { installed, aside }: Extract<Basis, { readonly ok: true }>,
    wish: ForkBody,
    input: string | undefined,
  ): Promise<Planned> {
    if (installed.kind !== "llm") {
      const { step, model, instructions, tool_results: results } = wish;
      const fits = [step, model, instructions, results].every((it) => it === undefined);
      if (!fits) return refuse("invalid", "an endpoint has one step, and neither model nor prompt");
      return { ok: true, prefix: emptyPrefix(installed, aside, branch) };
    }
    const stop = this.#stopOf(row, wish);
    if (stop === undefined) return refuse("invalid", "it has no such step", NO_STEP);
    const how = {
      installed,
      aside,
      mode: "adopt",
      input,
      stop,
      results: wish.tool_results,
    } as const;
    return planPrefix(this.#kernel, row, branch, how);
  }

  async #resumed(
    row: InvocationRow,
    was: Branch | undefined,
    { installed, aside }: Extract<Basis, { readonly ok: true }>,
    wish: ResumeWish,
    input: string | undefined,
  ): Promise<Planned> {
    const changes = was?.changes ?? {};
    const how = { how: "resume", from: row.id, changes } as const;
    const origin = this.#originOf(row, was);
    if (wish.fresh) return { ok: true, prefix: emptyPrefix(installed, aside, how) };
    if (installed.kind !== "llm") {
      return { ok: true, prefix: emptyPrefix(installed, aside, { ...how, ...origin }) };
    }
    const branch = { ...how, ...origin, before: placeBefore(row, was) };
    const results = wish.tool_results;
    return planPrefix(this.#kernel, row, branch, {
      installed,
      aside,
      mode: "resume",
      input,
      results,
    });
  }

  /** Under whose keys tools go on being called; what was undone is done again under new ones. */
  #originOf(row: InvocationRow, was: Branch | undefined): Pick<Branch, "origin"> {
    const steps = listSteps(this.#kernel.sql, row.id);
    if (steps.some(({ kind }) => kind === "compensation")) return {};
    return { origin: was?.how === "resume" ? (was.origin ?? row.id) : row.id };
  }

  /**
   * The step a fork begins at: as asked, behind the results that are given, or the first. What was
   * recalled is no place of its own: it goes with the call that rests on it.
   */
  #stopOf(row: InvocationRow, { step, tool_results: results }: ForkBody): string | undefined {
    const steps = listSteps(this.#kernel.sql, row.id);
    const keys = steps.map(({ key }) => key);
    const from = (at: number) => steps.slice(at).find(({ kind }) => kind !== "memory")?.key;
    if (typeof step === "number") return from(step);
    if (step !== undefined) return keys.includes(step) ? from(keys.indexOf(step)) : step;
    if (results === undefined) return from(0) ?? modelKey(0, 0);
    const last = Math.max(...results.map((given) => Number(/\d+/.exec(given.step)?.[0] ?? 0)));
    return keys.find((key) => key.startsWith(`model.${last + 1}#`)) ?? `model.${last + 1}#0`;
  }

  /** A spec as it would run now. */
  async #basis(
    owner: Owner,
    generation: number,
    version: number | undefined,
    changes: Changes,
  ): Promise<Basis> {
    const live = await (this.#self.installed(owner, generation) ?? this.#self.pull(owner));
    if (!live) return refuse("not_deployed", "no version of this agent is live here");
    const same = version === undefined || version === live.release.version;
    if (same && Object.keys(changes).length === 0)
      return { ok: true, installed: live, aside: false };
    const pulled = await this.#pulled(owner, version ?? live.release.version, changes);
    if (!pulled.ok) return pulled;
    const fit = pulled.installed.check();
    return fit.ok ? pulled : fit;
  }

  /** A spec as it was recorded under, or another version of it. */
  async #recorded(owner: Owner, row: InvocationRow, version: number): Promise<Basis> {
    const known = version === row.version ? this.#kernel.releases.get(row.generation) : undefined;
    if (known) return { ok: true, installed: known, aside: false };
    return this.#pulled(owner, version, branchOf(row)?.changes ?? {});
  }

  async #pulled(owner: Owner, version: number, changes: Changes): Promise<Basis> {
    const release = await pullVersion(this.#env, owner, version, changes);
    if (!release) {
      return refuse("invalid", "the agent has no such version", {
        errors: [{ pointer: "/version", detail: "no such version" }],
      });
    }
    return { ok: true, installed: this.#kernel.releases.prepare(release), aside: true };
  }

  #known({ principal, idempotencyKey: key }: BranchCall): boolean {
    return key !== undefined && findByKey(this.#kernel.sql, principal, key) !== undefined;
  }

  async #ended(owner: Owner, id: string) {
    const found = await this.#self.find(owner, id);
    if (!found.ok) return found;
    const { row } = found;
    if (!terminal(row.status)) return refuse("conflict", "the invocation is still open");
    return canRepeat(this.#kernel.sql, row) ? found : ERASED;
  }
}

const NO_STEP = { errors: [{ pointer: "/step", detail: "no such step" }] };

/** What of the earlier call holds for the new one, unless it says otherwise. */
function kept(
  sql: Sql,
  row: InvocationRow,
  wish: Pick<ForkWish, "metadata" | "max_cost_micros" | "madeFor">,
) {
  const stored = row.metadata === null ? undefined : metadataOf(sql, row);
  const { madeFor } = wish;
  const mine = madeFor === undefined ? stored : { ...stored, user_id: madeFor };
  const metadata = wish.metadata ?? mine;
  const maxCostMicros = wish.max_cost_micros ?? row.max_cost_micros ?? undefined;
  return {
    ...(metadata === undefined ? {} : { metadata }),
    ...(maxCostMicros === undefined ? {} : { maxCostMicros }),
  };
}

/** Whoever handed a letter on first, and died over it, it was done: nobody does it again. */
function redriveOf(sql: Sql, from: string, { idempotencyKey: key, fingerprint }: BranchCall) {
  const rows = key === undefined ? [] : findByKeyOfAny(sql, key);
  const made = rows.find((it) => it.redriven_from === from && it.fingerprint === fingerprint);
  return made && { principal: made.principal };
}

function branchOf(row: InvocationRow): Branch | undefined {
  return row.branch === null ? undefined : branchIn(row.branch);
}

/** The turn whose history it was asked with. */
function placeBefore(row: InvocationRow, was: Branch | undefined) {
  return was?.before ?? { sessionId: row.session_id, turn: row.turn };
}

function changesOf(was: Changes, { model, instructions }: ForkBody): Changes {
  return {
    ...was,
    ...(model === undefined ? {} : { model }),
    ...(instructions === undefined ? {} : { instructions }),
  };
}
