import { ERASED, isGone } from "./erasing.ts";
import { DurableObject } from "cloudflare:workers";
import { Incarnation } from "./incarnation.ts";
import {
  acknowledgeApprovals,
  approvalsOwed,
  decideApproval,
  owesApprovals,
  readApproval,
} from "./approval-desk.ts";
import type { Cancelling, HandedOver, Results } from "./contract-handover.ts";
import type { MemoryRpc } from "./contract-memory.ts";
import type { Condition, Proxied } from "./contract-upstream.ts";
import type {
  CallbackReply,
  FoundApproval,
  FoundCallback,
  OwedApprovals,
  SeenApproval,
} from "./contract-waits.ts";
import { answerCallback, readCallback } from "./waits.ts";
import type { Deciding } from "../../core/approvals/contract.ts";
import { refusal } from "./chat-room.ts";
import { grantOf } from "./socket-grant.ts";
import type {
  Acknowledged,
  Answered,
  AgentRuntimeRpc,
  Call,
  Found,
  HeldLeases,
  FoundEvents,
  Streaming,
  LedgerPage,
  ObjectCursor,
  ObjectPage,
  ObjectRow,
  Owner,
} from "./contract.ts";
import type { Asked } from "../tenant-gate/contract-leases.ts";
import type { Faults } from "./faults.ts";
import { cancelBatch, handOver, results } from "./handover.ts";
import { AT_REST } from "./life.ts";
import { acknowledge, ledgerPage } from "./ledger.ts";
import { MemoryDesk } from "./memory/desk.ts";
import { knows } from "./open-session.ts";
import type { Cleared, QueueSlice } from "./contract-queue.ts";
import { clearQueue, queueCounts, queueEntries } from "./queue.ts";
import { Replays } from "./replays.ts";
import { listSteps, stepOnWire } from "./steps.ts";
import { textOf } from "./text.ts";
import type { Addressed } from "../../core/deployments/homes.ts";
import type { Release } from "../../core/deployments/release.ts";
import { terminal } from "../../core/invocations/contract.ts";
import { refuse, type Refusal } from "../../core/problem.ts";

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
  readonly #self: Incarnation;
  readonly #replays: Replays;
  readonly #memory: MemoryDesk;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#self = new Incarnation(ctx, env);
    this.faults = this.#self.faults;
    this.#replays = new Replays(this.#self, env);
    this.#memory = new MemoryDesk(this.#self);
  }

  async invoke(call: Call, waitMs: number): Promise<Answered | Refusal> {
    const accepted = await this.#self.accept(call, waitMs);
    if (!accepted.ok) return accepted;
    const { id, replayed } = accepted;
    const row = (await accepted.ended) ?? this.#self.row(id);
    return { ok: true, id, status: row.status, replayed, body: this.#self.body(row, call.owner) };
  }

  async stream(call: Call): Promise<Streaming | Refusal> {
    const accepted = await this.#self.accept(call);
    if (!accepted.ok) return accepted;
    const { id, replayed } = accepted;
    return { ok: true, invocationId: id, replayed, events: this.#self.events(id, call.owner, 0) };
  }

  async knows(owner: Owner, addressed: Addressed): Promise<boolean> {
    return this.#self.ownership.holds(owner) && knows(this.#self.kernel.sql, addressed);
  }

  async get(owner: Owner, invocationId: string): Promise<Found | Refusal> {
    const found = await this.#self.find(owner, invocationId);
    return found.ok ? { ok: true, body: this.#self.body(found.row, owner) } : found;
  }

  async steps(owner: Owner, invocationId: string): Promise<Found | Refusal> {
    const found = await this.#self.find(owner, invocationId);
    if (!found.ok) return found;
    const { sql } = this.#self.kernel;
    const data = listSteps(sql, invocationId).map((row) => stepOnWire(sql, row));
    return { ok: true, body: textOf(JSON.stringify({ data, next_cursor: null })) };
  }

  async events(owner: Owner, invocationId: string, after: number): Promise<FoundEvents | Refusal> {
    const found = await this.#self.find(owner, invocationId);
    if (!found.ok) return found;
    if (isGone(found.row, "events")) return ERASED;
    return { ok: true, events: this.#self.events(invocationId, owner, after) };
  }

  /** Reaches the call that is in flight; a terminal invocation stays what it is. */
  async cancel(owner: Owner, invocationId: string): Promise<Found | Refusal> {
    return this.#self.cancel(owner, invocationId);
  }

  async retry(
    owner: Owner,
    invocationId: string,
    call: Omit<Call, "input">,
  ): Promise<Answered | Refusal> {
    const found = await this.#self.find(owner, invocationId);
    if (!found.ok) return found;
    const { row } = found;
    if (!terminal(row.status)) return refuse("conflict", "the invocation is still open");
    const { input } = this.#self.onWire(row, owner);
    const again = { sessionId: row.session_id, redrivenFrom: row.id };
    const accepted = await this.#self.accept({ ...call, ...again, input: JSON.stringify(input) });
    if (!accepted.ok) return accepted;
    const { id, replayed } = accepted;
    const made = this.#self.row(id);
    return { ok: true, id, status: made.status, replayed, body: this.#self.body(made, owner) };
  }

  async handOver(owner: Owner, calls: readonly Call[]): Promise<HandedOver | Refusal> {
    return handOver(this.#self, owner, calls);
  }

  async cancelBatch(owner: Owner, speaker: string, batch: string): Promise<Cancelling | Refusal> {
    return cancelBatch(this.#self, owner, speaker, batch);
  }

  async results(owner: Owner, ids: readonly string[]): Promise<Results | Refusal> {
    return results(this.#self, owner, ids);
  }

  async replay(...asked: Parameters<Replays["replay"]>): Promise<Found | Refusal> {
    return this.#replays.replay(...asked);
  }

  async fork(...asked: Parameters<Replays["fork"]>): Promise<Answered | Refusal> {
    return this.#replays.fork(...asked);
  }

  async resume(...asked: Parameters<Replays["resume"]>): Promise<Answered | Refusal> {
    return this.#replays.resume(...asked);
  }

  async receipt(owner: Owner, invocationId: string): Promise<Found | Refusal> {
    return this.#replays.receipt(owner, invocationId);
  }

  async letter(owner: Owner, invocationId: string): Promise<Found | Refusal> {
    return this.#replays.letter(owner, invocationId);
  }

  async amend(...asked: Parameters<Replays["amend"]>): Promise<Found | Refusal> {
    return this.#replays.amend(...asked);
  }

  async queued(owner: Owner, after: string, limit: number): Promise<QueueSlice | Refusal> {
    return this.#self.desk(owner, ({ kernel }) => ({
      ok: true,
      counts: queueCounts(kernel.sql),
      entries: queueEntries(kernel, after, limit),
    }));
  }

  async clearQueue(owner: Owner): Promise<Cleared | Refusal> {
    return this.#self.desk(owner, ({ kernel }) => {
      const cleared = clearQueue(kernel, Date.now());
      for (const ended of cleared) this.#self.runner.cancelled(ended);
      return { ok: true, cancelled: cleared.length, left: cleared.length > 0 };
    });
  }

  async install(release: Release): Promise<Acknowledged | Refusal> {
    const mine = this.#self.ownership.settle(release);
    if (mine) this.#self.kernel.releases.put(release);
    return mine ? { ok: true } : refuse("not_found", "no such agent");
  }

  async proxy(call: Call, waitMs: number): Promise<Proxied | Refusal> {
    return this.#self.proxy(call, waitMs);
  }

  async refresh(owner: Owner): Promise<Acknowledged | Refusal> {
    return this.#self.refresh(owner);
  }

  async restart(owner: Owner): Promise<Acknowledged | Refusal> {
    return this.#self.restart(owner);
  }

  async condition(owner: Owner): Promise<Condition | Refusal> {
    return this.#self.condition(owner);
  }

  async health(owner: Owner, generation: number): Promise<Acknowledged | Refusal> {
    if (!this.#self.ownership.holds(owner)) return refuse("not_found", "no such agent");
    const installed = this.#self.kernel.releases.get(generation);
    if (!installed) return refuse("not_deployed", `generation ${generation} is not installed`);
    const able = installed.check();
    return able.ok ? this.#self.probe(installed) : able;
  }

  async approval(owner: Owner, id: string): Promise<FoundApproval | Refusal> {
    return this.#self.desk(owner, (desk) => readApproval(desk, id));
  }

  async decideApproval(
    owner: Owner,
    id: string,
    by: Deciding,
    own: readonly string[],
  ): Promise<FoundApproval | Refusal> {
    return this.#self.desk(owner, (desk) => decideApproval(desk, id, by, own));
  }

  async approvalsOwed(owner: Owner, limit: number): Promise<OwedApprovals | Refusal> {
    const desk = this.#self.deskOf(owner);
    if (!desk) return refuse("not_found", "no such agent");
    return { ok: true, entries: approvalsOwed(desk, limit) };
  }

  async acknowledgeApprovals(
    owner: Owner,
    seen: readonly SeenApproval[],
  ): Promise<Acknowledged | Refusal> {
    const desk = this.#self.deskOf(owner);
    if (!desk) return refuse("not_found", "no such agent");
    return acknowledgeApprovals(desk.kernel, seen);
  }

  async callback(owner: Owner, id: string): Promise<FoundCallback | Refusal> {
    return this.#self.desk(owner, (desk) => readCallback(desk, id));
  }

  async answerCallback(owner: Owner, answer: CallbackReply): Promise<FoundCallback | Refusal> {
    return this.#self.desk(owner, (desk) => answerCallback(desk, answer));
  }

  async leases(
    owner: Owner,
    asked: readonly Asked[],
    give: boolean,
  ): Promise<HeldLeases | Refusal> {
    if (!this.#self.ownership.holds(owner)) return refuse("not_found", "no such agent");
    return { ok: true, accounts: this.#self.kernel.spend.asked(asked, give) };
  }

  async obey(owner: Owner): Promise<Acknowledged | Refusal> {
    if (!this.#self.ownership.holds(owner)) return refuse("not_found", "no such agent");
    await this.#self.pull(owner);
    return { ok: true };
  }

  async visit(owner: Owner, generation: number): Promise<Acknowledged | Refusal> {
    return this.#self.visited(owner, generation);
  }

  async ledger(owner: Owner, limit: number): Promise<LedgerPage | Refusal> {
    if (!this.#self.ownership.holds(owner)) return refuse("not_found", "no such agent");
    const entries = ledgerPage(this.#self.kernel, owner.agentId, this.#self.naming(owner), limit);
    const approvals = owesApprovals(this.#self.kernel) ? { approvals: true as const } : {};
    return { ok: true, page: JSON.stringify(entries), ...approvals };
  }

  async acknowledge(owner: Owner, ids: readonly string[]): Promise<Acknowledged | Refusal> {
    if (!this.#self.ownership.holds(owner)) return refuse("not_found", "no such agent");
    this.#self.kernel.faults.at("before-acknowledge");
    acknowledge(this.#self.kernel, ids);
    this.#self.kernel.retained.work(Date.now(), true);
    return { ok: true };
  }

  async learn(...asked: Parameters<MemoryRpc["learn"]>): ReturnType<MemoryRpc["learn"]> {
    return this.#memory.learn(...asked);
  }

  async memory(...asked: Parameters<MemoryRpc["memory"]>): ReturnType<MemoryRpc["memory"]> {
    return this.#memory.memory(...asked);
  }

  async memories(...asked: Parameters<MemoryRpc["memories"]>): ReturnType<MemoryRpc["memories"]> {
    return this.#memory.memories(...asked);
  }

  async searchMemory(
    ...asked: Parameters<MemoryRpc["searchMemory"]>
  ): ReturnType<MemoryRpc["searchMemory"]> {
    return this.#memory.searchMemory(...asked);
  }

  async forget(...asked: Parameters<MemoryRpc["forget"]>): ReturnType<MemoryRpc["forget"]> {
    return this.#memory.forget(...asked);
  }

  async addDocument(
    ...asked: Parameters<MemoryRpc["addDocument"]>
  ): ReturnType<MemoryRpc["addDocument"]> {
    return this.#memory.addDocument(...asked);
  }

  async document(...asked: Parameters<MemoryRpc["document"]>): ReturnType<MemoryRpc["document"]> {
    return this.#memory.document(...asked);
  }

  async documents(
    ...asked: Parameters<MemoryRpc["documents"]>
  ): ReturnType<MemoryRpc["documents"]> {
    return this.#memory.documents(...asked);
  }

  async passages(...asked: Parameters<MemoryRpc["passages"]>): ReturnType<MemoryRpc["passages"]> {
    return this.#memory.passages(...asked);
  }

  async rest(owner: Owner, open?: "cancel"): Promise<Acknowledged | Refusal> {
    return this.#self.life.rest(owner, open);
  }

  async exportPage(owner: Owner, cursor?: ObjectCursor): Promise<ObjectPage | Refusal> {
    return this.#self.life.exportPage(owner, cursor);
  }

  async importPage(
    owner: Owner,
    transfer: string,
    rows: readonly ObjectRow[],
  ): Promise<Acknowledged | Refusal> {
    return this.#self.life.importPage(owner, transfer, rows);
  }

  async erase(owner: Owner): Promise<Acknowledged | Refusal> {
    return this.#self.life.erase(owner);
  }

  /** Only chat sockets come this way; the edge has settled who they are. */
  override async fetch(request: Request): Promise<Response> {
    const grant = grantOf(request);
    if (!grant) return new Response(null, { status: 426 });
    if (!(await this.#self.life.awake(grant.owner))) return refusal(AT_REST);
    this.#self.runner.wake();
    const installed =
      this.#self.installed(grant.owner, grant.generation) ?? (await this.#self.pull(grant.owner));
    if (installed) return this.#self.chat.open(grant, installed.release.tag);
    return refusal({ code: "not_deployed", detail: "no version of this agent is live here" });
  }

  override async webSocketMessage(socket: WebSocket, frame: string | ArrayBuffer): Promise<void> {
    this.#self.runner.wake();
    await this.#self.chat.message(socket, frame);
  }

  override async webSocketClose(socket: WebSocket, code: number): Promise<void> {
    this.#self.chat.closed(socket, code);
  }

  override async webSocketError(): Promise<void> {
    this.#self.chat.closed();
  }

  override async alarm(info?: AlarmInvocationInfo): Promise<void> {
    if (this.#self.life.erased) return this.#self.life.forget();
    await this.#self.runner.alarm(info?.scheduledTime ?? 0);
  }
}
