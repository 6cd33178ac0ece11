import { DurableObject } from "cloudflare:workers";
import { tally } from "../counters.ts";
import { Ownership, pullRelease } from "./installation.ts";
import { admit } from "./accept.ts";
import { Breakers } from "./breaker.ts";
import { ChatRoom, refusal } from "./chat-room.ts";
import { grantOf } from "./socket-grant.ts";
import type {
  Acknowledged,
  Answered,
  AgentRuntimeRpc,
  Call,
  Found,
  FoundEvents,
  Streaming,
  LedgerPage,
  ObjectCursor,
  ObjectPage,
  ObjectRow,
  Owner,
} from "./contract.ts";
import { Deadlines } from "./deadlines.ts";
import { Faults } from "./faults.ts";
import { Feed } from "./feed.ts";
import { findInvocation, onWire, type InvocationRow, type Naming } from "./invocations.ts";
import { AT_REST, Life } from "./life.ts";
import type { Kernel } from "./kernel.ts";
import { Meta } from "./meta.ts";
import { acknowledge, ledgerPage } from "./ledger.ts";
import { knows } from "./open-session.ts";
import { ready } from "./ready.ts";
import { Releases, type Installed } from "./releases.ts";
import { Runner } from "./runner.ts";
import { configOf, sha256 } from "./settings.ts";
import { createSigner } from "./signer.ts";
import { cancelRow } from "./settle.ts";
import { Sql } from "./sql.ts";
import { listSteps, stepOnWire } from "./steps.ts";
import { eventStream } from "./stream.ts";
import { migrate } from "./tables.ts";
import { textOf, type Text } from "./text.ts";
import type { Addressed } from "../../core/deployments/homes.ts";
import type { Release } from "../../core/deployments/release.ts";
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
 * One agent of one tenant in one environment (one replica): admission, runs, sessions, events.
 * Named JSON.stringify([tenantId, agentId, environment, replica]); storage in ./tables.ts.
 *
 * A1  An invocation's row is committed before its caller is told "accepted".
 * A2  While anything is due the alarm is set, no later than the first due time.
 * A3  Every result is fenced by its attempt.
 * A4  A terminal state is written once.
 * A5  An event is stored before it is sent.
 *
 * The object belongs to whoever first installed a release in it and answers no one else (G7).
 */
export class AgentRuntime extends DurableObject<Env> implements AgentRuntimeRpc {
  /** For tests inside this isolate: a field of the instance is out of reach of RPC. */
  readonly faults: Faults;
  readonly #kernel: Kernel;
  readonly #ownership: Ownership;
  readonly #chat: ChatRoom;
  readonly #runner: Runner;
  readonly #life: Life;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const { environment, benchCounters, faultPoints, masterKeys } = configOf(env);
    const local = environment === "local";
    const sql = new Sql(ctx.storage, benchCounters);
    const meta = new Meta(sql);
    migrate(sql, meta); // synchronous: nothing is delivered before it returns
    this.#ownership = new Ownership(meta);
    const deadlines = new Deadlines();
    this.faults = new Faults(local ? (reason) => ctx.abort(reason) : undefined, faultPoints);
    this.#kernel = {
      sql,
      releases: new Releases(sql, meta, (release) => ready(release, env)),
      feed: new Feed(deadlines),
      deadlines,
      faults: this.faults,
      breakers: new Breakers(
        sql,
        () => Date.now(),
        () => this.#runner.due(),
      ),
      now: () => Date.now(),
      running: new Map(),
      open: { count: 0 },
      rate: { tatUs: undefined },
      random: () => Math.random(),
      sha256,
      signer: createSigner(masterKeys),
    };
    this.#runner = new Runner(this.#kernel, {
      setAlarm: (atMs) => {
        tally.alarm_writes += 1;
        void ctx.storage.setAlarm(atMs);
      },
      tellLedger: () => this.#tellLedger(),
      now: () => Date.now(),
    });
    this.#chat = new ChatRoom(
      ctx,
      env,
      {
        kernel: this.#kernel,
        accept: (call) => this.#accept(call),
        cancel: (owner, id) => this.cancel(owner, id),
      },
      (owner) => this.#naming(owner),
    );
    this.#life = new Life(ctx, env, this.#kernel, meta, this.#ownership, this.#runner);
  }

  async invoke(call: Call, waitMs: number): Promise<Answered | Refusal> {
    const accepted = await this.#accept(call, waitMs);
    if (!accepted.ok) return accepted;
    const { id, replayed } = accepted;
    const row = (await accepted.ended) ?? this.#row(id);
    return { ok: true, id, status: row.status, replayed, body: this.#body(row, call.owner) };
  }

  async stream(call: Call): Promise<Streaming | Refusal> {
    const accepted = await this.#accept(call);
    if (!accepted.ok) return accepted;
    const { id, replayed } = accepted;
    return { ok: true, invocationId: id, replayed, events: this.#events(id, call.owner, 0) };
  }

  async knows(owner: Owner, addressed: Addressed): Promise<boolean> {
    return this.#ownership.holds(owner) && knows(this.#kernel.sql, addressed);
  }

  async get(owner: Owner, invocationId: string): Promise<Found | Refusal> {
    const found = await this.#find(owner, invocationId);
    return found.ok ? { ok: true, body: this.#body(found.row, owner) } : found;
  }

  async steps(owner: Owner, invocationId: string): Promise<Found | Refusal> {
    const found = await this.#find(owner, invocationId);
    if (!found.ok) return found;
    const { sql } = this.#kernel;
    const data = listSteps(sql, invocationId).map((row) => stepOnWire(sql, row));
    return { ok: true, body: textOf(JSON.stringify({ data, next_cursor: null })) };
  }

  async events(owner: Owner, invocationId: string, after: number): Promise<FoundEvents | Refusal> {
    const found = await this.#find(owner, invocationId);
    return found.ok ? { ok: true, events: this.#events(invocationId, owner, after) } : found;
  }

  /** Reaches the call that is in flight; a terminal invocation stays what it is. */
  async cancel(owner: Owner, invocationId: string): Promise<Found | Refusal> {
    const found = await this.#find(owner, invocationId);
    if (!found.ok) return found;
    const { row } = found;
    if (row.status !== "cancelled" && terminal(row.status)) {
      return refuse("conflict", `the invocation has ${row.status} already`);
    }
    if (row.status === "cancelled") return { ok: true, body: this.#body(row, owner) };
    const ended = this.#kernel.sql.transaction(() => cancelRow(this.#kernel, row, Date.now()));
    this.#kernel.faults.at("after-cancel");
    this.#kernel.running.get(invocationId)?.stop?.abort(new Error("cancelled"));
    if (row.status === "waiting") this.#kernel.open.count += 1; // what waits is not counted
    this.#runner.finished(invocationId, ended);
    return { ok: true, body: this.#body(ended, owner) };
  }

  async retry(
    owner: Owner,
    invocationId: string,
    call: Omit<Call, "input">,
  ): Promise<Answered | Refusal> {
    const found = await this.#find(owner, invocationId);
    if (!found.ok) return found;
    const { row } = found;
    if (!terminal(row.status)) return refuse("conflict", "the invocation is still open");
    const { input } = this.#onWire(row, owner);
    const again = { sessionId: row.session_id, redrivenFrom: row.id };
    const accepted = await this.#accept({ ...call, ...again, input: JSON.stringify(input) });
    if (!accepted.ok) return accepted;
    const { id, replayed } = accepted;
    const made = this.#row(id);
    return { ok: true, id, status: made.status, replayed, body: this.#body(made, owner) };
  }

  async install(release: Release): Promise<Acknowledged | Refusal> {
    const mine = this.#ownership.settle(release);
    if (mine) this.#kernel.releases.put(release);
    return mine ? { ok: true } : refuse("not_found", "no such agent");
  }

  async health(owner: Owner, generation: number): Promise<Acknowledged | Refusal> {
    if (!this.#ownership.holds(owner)) return refuse("not_found", "no such agent");
    const installed = this.#kernel.releases.get(generation);
    if (!installed) return refuse("not_deployed", `generation ${generation} is not installed`);
    return installed.check();
  }

  async ledger(owner: Owner, limit: number): Promise<LedgerPage | Refusal> {
    if (!this.#ownership.holds(owner)) return refuse("not_found", "no such agent");
    const entries = ledgerPage(this.#kernel, owner.agentId, this.#naming(owner), limit);
    return { ok: true, page: JSON.stringify(entries) };
  }

  async acknowledge(owner: Owner, ids: readonly string[]): Promise<Acknowledged | Refusal> {
    if (!this.#ownership.holds(owner)) return refuse("not_found", "no such agent");
    this.#kernel.faults.at("before-acknowledge");
    acknowledge(this.#kernel, ids);
    return { ok: true };
  }

  async rest(owner: Owner, open?: "cancel"): Promise<Acknowledged | Refusal> {
    return this.#life.rest(owner, open);
  }

  async exportPage(owner: Owner, cursor?: ObjectCursor): Promise<ObjectPage | Refusal> {
    return this.#life.exportPage(owner, cursor);
  }

  async importPage(
    owner: Owner,
    transfer: string,
    rows: readonly ObjectRow[],
  ): Promise<Acknowledged | Refusal> {
    return this.#life.importPage(owner, transfer, rows);
  }

  async erase(owner: Owner): Promise<Acknowledged | Refusal> {
    return this.#life.erase(owner);
  }

  /** Only chat sockets come this way; the edge has settled who they are. */
  override async fetch(request: Request): Promise<Response> {
    const grant = grantOf(request);
    if (!grant) return new Response(null, { status: 426 });
    if (!(await this.#life.awake(grant.owner))) return refusal(AT_REST);
    this.#runner.wake();
    const installed =
      this.#installed(grant.owner, grant.generation) ?? (await this.#pull(grant.owner));
    if (installed) return this.#chat.open(grant, installed.release.tag);
    return refusal({ code: "not_deployed", detail: "no version of this agent is live here" });
  }

  override async webSocketMessage(socket: WebSocket, frame: string | ArrayBuffer): Promise<void> {
    this.#runner.wake();
    await this.#chat.message(socket, frame);
  }

  override async webSocketClose(socket: WebSocket, code: number): Promise<void> {
    this.#chat.closed(socket, code);
  }

  override async webSocketError(): Promise<void> {
    this.#chat.closed();
  }

  override async alarm(info?: AlarmInvocationInfo): Promise<void> {
    if (this.#life.erased) return this.#life.forget();
    await this.#runner.alarm(info?.scheduledTime ?? 0);
  }

  /** @param waitMs  Above 0: also wait for the end, from before the run could reach it. */
  async #accept(call: Call, waitMs = 0): Promise<Admitted | Refusal> {
    if (this.#life.resting && !(await this.#life.awake(call.owner))) {
      return { ok: false, problem: AT_REST };
    }
    this.#runner.wake();
    const installed =
      this.#installed(call.owner, call.generation) ?? (await this.#pull(call.owner));
    if (!installed) return refuse("not_deployed", "no version of this agent is live here");
    const kernel = this.#kernel;
    kernel.faults.at("before-accept");
    const nowMs = Date.now();
    const admitted = admit(kernel, call, installed, nowMs);
    if (!admitted.ok) return admitted;
    const { id, replayed, sessionId } = admitted;
    if (replayed && resting(this.#row(id).status)) return { ok: true, id, replayed };
    const ended = waitMs > 0 ? kernel.feed.end(id, waitMs) : undefined;
    if (!replayed) {
      this.#runner.accepted(admitted.claim);
      this.#chat.turned(sessionId);
      kernel.faults.at("after-accept");
    }
    return { ok: true, id, replayed, ended };
  }

  #installed(owner: Owner, generation: number): Installed | undefined {
    if (!this.#ownership.holds(owner)) return undefined;
    return this.#kernel.releases.live(generation);
  }

  /** The edge knows a newer generation than is installed here: fetch it from the control plane. */
  async #pull(owner: Owner): Promise<Installed | undefined> {
    const release = await pullRelease(this.env, owner);
    if (!release || !this.#ownership.settle(release)) return undefined;
    this.#kernel.releases.put(release);
    return this.#kernel.releases.live(release.generation);
  }

  async #tellLedger(): Promise<void> {
    const { owner } = this.#ownership;
    if (owner) await this.env.LEDGER.send(owner);
  }

  async #find(
    owner: Owner,
    id: string,
  ): Promise<{ readonly ok: true; readonly row: InvocationRow } | Refusal> {
    if (this.#life.resting) await this.#life.awake(owner);
    this.#runner.wake();
    const mine = this.#ownership.holds(owner);
    const row = mine ? findInvocation(this.#kernel.sql, id) : undefined;
    return row ? { ok: true, row } : refuse("not_found", "no such invocation");
  }

  #events(id: string, owner: Owner, after: number): ReadableStream<Uint8Array> {
    return eventStream(this.#kernel, id, after, () => this.#naming(owner));
  }

  #row(id: string): InvocationRow {
    const row = findInvocation(this.#kernel.sql, id);
    if (!row) throw new Error("an accepted invocation has no row");
    return row;
  }

  #body(row: InvocationRow, owner: Owner): Text {
    return textOf(JSON.stringify(this.#onWire(row, owner)));
  }

  #onWire(row: InvocationRow, owner: Owner) {
    return onWire(this.#kernel.sql, row, this.#naming(owner));
  }

  #naming(owner: Owner): Naming {
    const agent = this.#kernel.releases.live(0)?.release.agentSlug ?? owner.agentId;
    return { agent, environment: owner.environment };
  }
}

/** Nothing to wait for now: it has ended, or goes on when somebody else has acted. */
function resting(status: InvocationStatus): boolean {
  return terminal(status) || status === "waiting";
}
