import { attachmentOf } from "./sockets.ts";
import { tally } from "../counters.ts";
import { Ownership, pullRelease } from "./installation.ts";
import { Breakers } from "./breaker.ts";
import { type Desk } from "./approval-desk.ts";
import { ChatRoom } from "./chat-room.ts";
import { isLocked } from "./content.ts";
import { ContentSeal } from "./content-seal.ts";
import type { Acknowledged, Answered, Call, Found, Owner } from "./contract.ts";
import type { Condition, Proxied } from "./contract-upstream.ts";
import { Deadlines } from "./deadlines.ts";
import { ERASED, isGone } from "./erasing.ts";
import { Faults } from "./faults.ts";
import { Feed } from "./feed.ts";
import { findInvocation, onWire, type InvocationRow, type Naming } from "./invocations.ts";
import { AT_REST, Life } from "./life.ts";
import type { Kernel } from "./kernel.ts";
import { Meta } from "./meta.ts";
import type { Prefix } from "./prefix.ts";
import { ready } from "./ready.ts";
import { Releases, type Installed } from "./releases.ts";
import { gatePorts } from "./gate.ts";
import { Retained } from "./retention.ts";
import { Runner } from "./runner.ts";
import { Spend } from "./spend.ts";
import { stopOpen } from "./stops.ts";
import { configOf, sha256 } from "./settings.ts";
import { createSigner } from "./signer.ts";
import { cancelRow } from "./settle.ts";
import { enter, type Entry } from "./session-policy.ts";
import { Sql } from "./sql.ts";
import { LiveAnswers } from "./upstream/answers.ts";
import { Health } from "./upstream/health.ts";
import { Intake } from "./upstream/intake.ts";
import { misfitOf } from "./upstream/misfit.ts";
import { answerTo, conditionOf } from "./upstream/proxy.ts";
import { eventStream } from "./stream.ts";
import { migrate } from "./tables.ts";
import { textOf, type Text } from "./text.ts";
import { type InvocationStatus, terminal } from "../../core/invocations/contract.ts";
import { refuse, type Refusal } from "../../core/problem.ts";

/** A tenant that arrived without its secrets: nothing is written in clear meanwhile. */
const KEYLESS = refuse("conflict", "content is to be sealed, and its key is not here");

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
    const now = () => Date.now();
    const releases = new Releases(sql, meta, (release) => ready(release, env, () => this.kernel));
    const checked = () => this.runner.due();
    const recovered = (name: string) => this.recovered(name);
    const health = new Health({ meta, releases, deadlines, now, checked, recovered });
    this.faults = new Faults(local ? (reason) => ctx.abort(reason) : undefined, faultPoints, () =>
      ctx.storage.sync(),
    );
    this.kernel = {
      sql,
      releases,
      feed: new Feed(deadlines),
      deadlines,
      faults: this.faults,
      breakers: new Breakers(
        sql,
        () => Date.now(),
        () => this.backAgain(),
      ),
      intake: new Intake(releases, health),
      health,
      answers: new LiveAnswers(),
      now: () => Date.now(),
      running: new Map(),
      open: { count: 0 },
      rate: { tatUs: undefined },
      joins: { known: undefined },
      spend: new Spend(
        sql,
        () => this.kernel.releases.live(0)?.release,
        gatePorts(env, this.ownership),
        () => Date.now(),
      ),
      retained: new Retained({ sql, releases, now }, meta, () => spokenIn(ctx)),
      random: () => Math.random(),
      sha256,
      signer: createSigner(masterKeys),
    };
    sql.sealing = new ContentSeal(() => releases.live(0)?.release, masterKeys);
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

  /** What was kept for an upstream may go, in its order. */
  backAgain(): void {
    this.kernel.intake.drain();
    this.runner.due();
  }

  /** A health check says that the upstream is there again. */
  recovered(name: string): void {
    this.kernel.breakers.succeeded(name);
    this.backAgain();
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
  async accept(call: Call, waitMs = 0, prefix?: Prefix): Promise<Admitted | Refusal> {
    if (this.life.resting && !(await this.life.awake(call.owner))) {
      return { ok: false, problem: AT_REST };
    }
    this.runner.wake();
    const installed = this.#basisOf(call, prefix) ?? (await this.pull(call.owner));
    if (!installed) return refuse("not_deployed", "no version of this agent is live here");
    const misfit = misfitOf(call, installed);
    if (misfit) return misfit;
    const kernel = this.kernel;
    if (kernel.sql.sealing?.seals === true && !kernel.sql.sealing.opens) return KEYLESS;
    kernel.faults.at("before-accept");
    const decide = (): Entry => {
      const nowMs = kernel.intake.moment(installed, Date.now());
      return enter(kernel, call, installed, nowMs, prefix);
    };
    const first = decide();
    const admitted = first.ok ? first : await kernel.spend.retried(first, decide);
    if (!admitted.ok) return admitted;
    const { id, replayed, sessionId } = admitted;
    const known = replayed ? this.row(id) : undefined;
    if (known && isGone(known, "content")) return ERASED;
    if (known && resting(known.status)) return { ok: true, id, replayed };
    const waits = waitMs > 0 && !(admitted.claim === undefined && kernel.intake.shut);
    const ended = waits ? kernel.feed.end(id, waitMs) : undefined;
    if (!replayed) {
      if (!admitted.joined) this.runner.accepted(admitted.claim);
      for (const ended of admitted.displaced ?? []) this.runner.cancelled(ended);
      this.chat.turned(sessionId);
      kernel.faults.at("after-accept");
    }
    return { ok: true, id, replayed, ended };
  }

  /** Accept what goes on from another one's journal; it begins at once where it may. */
  async branch(call: Call, prefix: Prefix | undefined): Promise<Answered | Refusal> {
    const accepted = await this.accept(call, 0, prefix);
    if (!accepted.ok) return accepted;
    this.runner.due();
    const { id, replayed } = accepted;
    const row = this.row(id);
    return { ok: true, id, status: row.status, replayed, body: this.body(row, call.owner) };
  }

  /** What a call goes by: a prefix brings its own, and else it is what is live. */
  #basisOf(call: Call, prefix: Prefix | undefined): Installed | undefined {
    if (!prefix) return this.installed(call.owner, call.generation);
    const { aside, installed } = prefix;
    return aside ? this.kernel.releases.putAside(installed.release) : installed;
  }

  /** Accept a request for the upstream; its caller is answered from the first byte on. */
  async proxy(call: Call, waitMs: number): Promise<Proxied | Refusal> {
    const accepted = await this.accept(call);
    if (!accepted.ok) return accepted;
    const { id, replayed } = accepted;
    const shown = (row: InvocationRow) => this.body(row, call.owner);
    return answerTo(this.kernel, { id, replayed, untilMs: Date.now() + waitMs, shown });
  }

  /** A release is installed: is its upstream there? From here on that is asked again and again. */
  async probe(installed: Installed): Promise<Acknowledged | Refusal> {
    if (installed.kind === "llm" || installed.spec.upstream.health === undefined) {
      return { ok: true };
    }
    const there = await this.kernel.health.check(installed);
    this.runner.arm();
    return there
      ? { ok: true }
      : refuse("upstream_failed", "the health check was not answered 2xx");
  }

  async refresh(owner: Owner): Promise<Acknowledged | Refusal> {
    if (!this.ownership.holds(owner)) return refuse("not_found", "no such agent");
    await this.pull(owner);
    this.runner.due();
    return { ok: true };
  }

  async restart(owner: Owner): Promise<Acknowledged | Refusal> {
    if (!this.ownership.holds(owner)) return refuse("not_found", "no such agent");
    if (this.life.resting) return { ok: true };
    this.runner.rest();
    this.kernel.health.forget();
    this.kernel.breakers.probeNow();
    this.kernel.releases.forget();
    this.kernel.intake.drain();
    this.runner.resume();
    return { ok: true };
  }

  condition(owner: Owner): Condition | Refusal {
    if (!this.ownership.holds(owner)) return refuse("not_found", "no such agent");
    return conditionOf(this.kernel);
  }

  installed(owner: Owner, generation: number): Installed | undefined {
    if (!this.ownership.holds(owner)) return undefined;
    return this.kernel.releases.live(generation);
  }

  /** The edge knows a newer generation than is installed here: fetch it from the control plane. */
  async pull(owner: Owner): Promise<Installed | undefined> {
    const release = await pullRelease(this.#env, owner);
    if (!release || !this.ownership.settle(release)) return undefined;
    const { releases } = this.kernel;
    const paused = releases.live(0)?.release.paused;
    releases.put(release);
    const installed = releases.live(release.generation);
    if (paused === true) this.backAgain(); // unless it is paused still
    stopOpen(this.kernel, this.runner);
    return installed;
  }

  async visited(owner: Owner, generation: number): Promise<{ readonly ok: true } | Refusal> {
    if (this.life.resting && !(await this.life.awake(owner))) return { ok: true };
    this.runner.wake();
    if (!this.ownership.holds(owner)) return refuse("not_found", "no such agent");
    if (this.kernel.releases.live(generation) === undefined) await this.pull(owner);
    this.runner.arm();
    return { ok: true };
  }

  async tellLedger(): Promise<void> {
    const { owner } = this.ownership;
    if (owner) await this.#env.LEDGER.send(owner);
    await this.kernel.spend.report();
  }

  async find(
    owner: Owner,
    id: string,
  ): Promise<{ readonly ok: true; readonly row: InvocationRow } | Refusal> {
    if (this.life.resting) await this.life.awake(owner);
    this.runner.wake();
    const mine = this.ownership.holds(owner);
    const row = mine ? findInvocation(this.kernel.sql, id) : undefined;
    if (row && (isGone(row, "content") || isLocked(this.kernel.sql, row.input))) return ERASED;
    return row ? { ok: true, row } : refuse("not_found", "no such invocation");
  }

  async desk<T extends { readonly ok: true }>(
    owner: Owner,
    ask: (desk: Desk) => T | Refusal,
  ): Promise<T | Refusal> {
    const desk = this.deskOf(owner);
    if (!desk) return refuse("not_found", "no such agent");
    if (this.life.resting && !(await this.life.awake(owner))) {
      return { ok: false, problem: AT_REST };
    }
    this.runner.wake();
    const answer = ask(desk);
    this.runner.due();
    return answer;
  }

  /** For what is asked of an object at rest as well; undefined when it is somebody else's. */
  deskOf(owner: Owner): Desk | undefined {
    if (!this.ownership.holds(owner)) return undefined;
    return { kernel: this.kernel, owner, naming: this.naming(owner) };
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

/** Sessions that somebody is connected to. */
function spokenIn(ctx: DurableObjectState): ReadonlySet<string> {
  return new Set(ctx.getWebSockets().map((socket) => attachmentOf(socket).sessionId));
}

/** Nothing to wait for now: it has ended, or goes on when somebody else has acted. */
function resting(status: InvocationStatus): boolean {
  return terminal(status) || status === "waiting";
}
