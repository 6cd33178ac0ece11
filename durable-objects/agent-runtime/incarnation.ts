import { tally } from "../counters.ts";
import { Ownership, pullRelease } from "./installation.ts";
import { Breakers } from "./breaker.ts";
import { type Desk } from "./approval-desk.ts";
import { ChatRoom } from "./chat-room.ts";
import type { Call, Found, Owner } from "./contract.ts";
import { Deadlines } from "./deadlines.ts";
import { Faults } from "./faults.ts";
import { Feed } from "./feed.ts";
import { findInvocation, onWire, type InvocationRow, type Naming } from "./invocations.ts";
import { AT_REST, Life } from "./life.ts";
import type { Kernel } from "./kernel.ts";
import { Meta } from "./meta.ts";
import { ready } from "./ready.ts";
import { Releases, type Installed } from "./releases.ts";
import { Runner } from "./runner.ts";
import { configOf, sha256 } from "./settings.ts";
import { createSigner } from "./signer.ts";
import { cancelRow } from "./settle.ts";
import { enter } from "./session-policy.ts";
import { Sql } from "./sql.ts";
import { eventStream } from "./stream.ts";
import { migrate } from "./tables.ts";
import { textOf, type Text } from "./text.ts";
import { type InvocationStatus, terminal } from "../../core/invocations/contract.ts";
import { refuse, type Refusal } from "../../core/problem.ts";

type Admitted = {
  readonly ok: true;
  readonly id: string;
  readonly replayed: boolean;
  /** The terminal row, or undefined when it did not come in time. */
  readonly ended?: Promise<InvocationRow | undefined> | undefined;
};

/**
 * One life of an object in memory: what its modules work with, and what every way in begins with.
 * It ends with an eviction or a crash; nothing in it is a record.
 */
export class Incarnation {
  readonly faults: Faults;
  readonly kernel: Kernel;
  readonly ownership: Ownership;
  readonly chat: ChatRoom;
  readonly runner: Runner;
  readonly life: Life;
  readonly #env: Env;

  constructor(ctx: DurableObjectState, env: Env) {
    this.#env = env;
    const { environment, benchCounters, faultPoints, masterKeys } = configOf(env);
    const local = environment === "local";
    const sql = new Sql(ctx.storage, benchCounters);
    const meta = new Meta(sql);
    migrate(sql, meta); // synchronous: nothing is delivered before it returns
    this.ownership = new Ownership(meta);
    const deadlines = new Deadlines();
    this.faults = new Faults(local ? (reason) => ctx.abort(reason) : undefined, faultPoints);
    this.kernel = {
      sql,
      releases: new Releases(sql, meta, (release) => ready(release, env)),
      feed: new Feed(deadlines),
      deadlines,
      faults: this.faults,
      breakers: new Breakers(
        sql,
        () => Date.now(),
        () => this.runner.due(),
      ),
      now: () => Date.now(),
      running: new Map(),
      open: { count: 0 },
      rate: { tatUs: undefined },
      joins: { known: undefined },
      random: () => Math.random(),
      sha256,
      signer: createSigner(masterKeys),
    };
    this.runner = new Runner(this.kernel, {
      setAlarm: (atMs) => {
        tally.alarm_writes += 1;
        void ctx.storage.setAlarm(atMs);
      },
      tellLedger: () => this.tellLedger(),
      now: () => Date.now(),
    });
    this.chat = new ChatRoom(
      ctx,
      env,
      {
        kernel: this.kernel,
        accept: (call) => this.accept(call),
        cancel: (owner, id) => this.cancel(owner, id),
      },
      (owner) => this.naming(owner),
    );
    this.life = new Life(ctx, env, this.kernel, meta, this.ownership, this.runner);
  }

  /** Reaches the call that is in flight; a terminal invocation stays what it is. */
  async cancel(owner: Owner, invocationId: string): Promise<Found | Refusal> {
    const found = await this.find(owner, invocationId);
    if (!found.ok) return found;
    const { row } = found;
    if (row.status !== "cancelled" && terminal(row.status)) {
      return refuse("conflict", `the invocation has ${row.status} already`);
    }
    if (row.status === "cancelled") return { ok: true, body: this.body(row, owner) };
    const ended = this.kernel.sql.transaction(() => cancelRow(this.kernel, row, Date.now()));
    this.kernel.faults.at("after-cancel");
    this.runner.cancelled({ row: ended, waited: row.status === "waiting" });
    return { ok: true, body: this.body(ended, owner) };
  }

  /** @param waitMs  Above 0: also wait for the end, from before the run could reach it. */
  async accept(call: Call, waitMs = 0): Promise<Admitted | Refusal> {
    if (this.life.resting && !(await this.life.awake(call.owner))) {
      return { ok: false, problem: AT_REST };
    }
    this.runner.wake();
    const installed = this.installed(call.owner, call.generation) ?? (await this.pull(call.owner));
    if (!installed) return refuse("not_deployed", "no version of this agent is live here");
    const kernel = this.kernel;
    kernel.faults.at("before-accept");
    const nowMs = Date.now();
    const admitted = enter(kernel, call, installed, nowMs);
    if (!admitted.ok) return admitted;
    const { id, replayed, sessionId } = admitted;
    if (replayed && resting(this.row(id).status)) return { ok: true, id, replayed };
    const ended = waitMs > 0 ? kernel.feed.end(id, waitMs) : undefined;
    if (!replayed) {
      if (!admitted.joined) this.runner.accepted(admitted.claim);
      for (const ended of admitted.displaced ?? []) this.runner.cancelled(ended);
      this.chat.turned(sessionId);
      kernel.faults.at("after-accept");
    }
    return { ok: true, id, replayed, ended };
  }

  installed(owner: Owner, generation: number): Installed | undefined {
    if (!this.ownership.holds(owner)) return undefined;
    return this.kernel.releases.live(generation);
  }

  /** The edge knows a newer generation than is installed here: fetch it from the control plane. */
  async pull(owner: Owner): Promise<Installed | undefined> {
    const release = await pullRelease(this.#env, owner);
    if (!release || !this.ownership.settle(release)) return undefined;
    this.kernel.releases.put(release);
    return this.kernel.releases.live(release.generation);
  }

  async tellLedger(): Promise<void> {
    const { owner } = this.ownership;
    if (owner) await this.#env.LEDGER.send(owner);
  }

  async find(
    owner: Owner,
    id: string,
  ): Promise<{ readonly ok: true; readonly row: InvocationRow } | Refusal> {
    if (this.life.resting) await this.life.awake(owner);
    this.runner.wake();
    const mine = this.ownership.holds(owner);
    const row = mine ? findInvocation(this.kernel.sql, id) : undefined;
    return row ? { ok: true, row } : refuse("not_found", "no such invocation");
  }

  async desk<T extends { readonly ok: true }>(
    owner: Owner,
    ask: (desk: Desk) => T | Refusal,
  ): Promise<T | Refusal> {
    if (this.life.resting) await this.life.awake(owner);
    this.runner.wake();
    if (!this.ownership.holds(owner)) return refuse("not_found", "no such agent");
    const answer = ask({ kernel: this.kernel, owner, naming: this.naming(owner) });
    this.runner.due();
    return answer;
  }

  events(id: string, owner: Owner, after: number): ReadableStream<Uint8Array> {
    return eventStream(this.kernel, id, after, () => this.naming(owner));
  }

  row(id: string): InvocationRow {
    const row = findInvocation(this.kernel.sql, id);
    if (!row) throw new Error("an accepted invocation has no row");
    return row;
  }

  body(row: InvocationRow, owner: Owner): Text {
    return textOf(JSON.stringify(this.onWire(row, owner)));
  }

  onWire(row: InvocationRow, owner: Owner) {
    return onWire(this.kernel.sql, row, this.naming(owner));
  }

  naming(owner: Owner): Naming {
    const agent = this.kernel.releases.live(0)?.release.agentSlug ?? owner.agentId;
    return { agent, environment: owner.environment };
  }
}

/** Nothing to wait for now: it has ended, or goes on when somebody else has acted. */
function resting(status: InvocationStatus): boolean {
  return terminal(status) || status === "waiting";
}
