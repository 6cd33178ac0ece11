import type { MemoryRpc } from "./contract-memory.ts";
import type { Invocation, InvocationStatus } from "../../core/invocations/contract.ts";
import type { Addressed } from "../../core/deployments/homes.ts";
import type { Release } from "../../core/deployments/release.ts";
import type { Refusal } from "../../core/problem.ts";
import type { HandoverRpc } from "./contract-handover.ts";
import type { QueueRpc } from "./contract-queue.ts";
import type { ReplaysRpc } from "./contract-replays.ts";
import type { UpstreamRpc } from "./contract-upstream.ts";
import type { WaitsRpc } from "./contract-waits.ts";
import type { Account, Asked } from "../tenant-gate/contract-leases.ts";
import type { Text } from "./text.ts";

/** Whose object this is; every call carries it and the object refuses any other (G7). */
export type Owner = {
  readonly tenantId: string;
  readonly agentId: string;
  readonly environment: string;
  readonly replica: number;
};

/** One request for work, after identity and schema are settled at the edge. */
export type Call = {
  readonly owner: Owner;
  /** The generation the edge believes live; the object pulls the release when it is behind. */
  readonly generation: number;
  /** `Principal.id`. */
  readonly principal: string;
  readonly idempotencyKey?: string;
  /** SHA-256 (base64url) of method, path and canonical body. */
  readonly fingerprint: string;
  /** JSON text of `InvokeBody.input`. */
  readonly input: string;
  readonly sessionId?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly maxCostMicros?: number;
  readonly requestId: string;
  readonly traceparent?: string;
  /** True: write deltas as the model speaks. */
  readonly deltas: boolean;
  /** `input` is a request for the upstream, as it came by the agent's proxy. */
  readonly proxied?: true;
  /** Of a proxied request's body. */
  readonly sizeBytes?: number;
  /** The terminal invocation this one repeats. */
  readonly redrivenFrom?: string;
  /** Of one that a trigger starts: the invocations that led to it, the first one first. */
  readonly lineage?: readonly string[];
  /** The batch it is an input of. */
  readonly batch?: string;
  /** It is not begun before this: others may join it (merge.ts). */
  readonly heldUntilMs?: number;
};

/** An invocation for a caller that passes it on. */
export type Answered = {
  readonly ok: true;
  readonly id: string;
  readonly status: InvocationStatus;
  /** The key was known: this is the earlier invocation. */
  readonly replayed: boolean;
  /** An `Invocation` as JSON: it crosses RPC at a fraction of what its fields would cost. */
  readonly body: Text;
};

/** `body`: an `Invocation`, or a page of `Step`, as JSON. */
export type Found = { readonly ok: true; readonly body: Text };
export type FoundEvents = { readonly ok: true; readonly events: ReadableStream<Uint8Array> };
/** A stream from the first event on. */
export type Streaming = FoundEvents & {
  readonly invocationId: string;
  readonly replayed: boolean;
};
export type Acknowledged = { readonly ok: true };

/** One finished invocation and its calls, for the control plane's ledger; ids make it idempotent. */
export type LedgerEntry = {
  readonly invocation: Omit<
    Invocation,
    "input" | "output" | "metadata" | "lineage" | "forked_from"
  >;
  readonly agentId: string;
  readonly principal: string;
  readonly projectId?: string | undefined;
  /** Whom it was made for. */
  readonly userId?: string;
  readonly usage: readonly UsageRecord[];
  /** The batch it was an input of. */
  readonly batchId?: string | undefined;
};

/** One model call as owed. `id` is the invocation's id and the step's key. */
export type UsageRecord = {
  readonly id: string;
  readonly step: string;
  readonly model: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly estimated: boolean;
  readonly costMicros: number;
  readonly atMs: number;
};

/** `page`: a list of `LedgerEntry` as JSON. */
export type LedgerPage = {
  readonly ok: true;
  readonly page: string;
  /** There are approvals to be listed as well (`approvalsOwed`). */
  readonly approvals?: true;
};

/** A row of one of the object's own tables, as SQLite holds it. */
export type ObjectRow = {
  readonly table: string;
  readonly row: Readonly<Record<string, string | number | null>>;
};
/** Where an export of an object goes on: behind this key of this table. */
export type ObjectCursor = {
  readonly table: string;
  readonly after: readonly (string | number | null)[];
};
export type ObjectPage = {
  readonly ok: true;
  readonly rows: readonly ObjectRow[];
  /** Absent on the last page. */
  readonly next?: ObjectCursor;
};

export type HeldLeases = { readonly ok: true; readonly accounts: readonly Account[] };

/** The RPC surface of AgentRuntime. Refusals are values; an exception is a defect. */
export type AgentRuntimeRpc = MemoryRpc &
  WaitsRpc &
  ReplaysRpc &
  QueueRpc &
  UpstreamRpc &
  HandoverRpc & {
    /** Accept and start; resolves at the terminal state, or after `waitMs` with what is known. */
    invoke(call: Call, waitMs: number): Promise<Answered | Refusal>;
    /** The same, answering with the event stream as SSE bytes from the first event on. */
    stream(call: Call): Promise<Streaming | Refusal>;
    /** Has it the session of this name, or the request of this key? Not for what is another's. */
    knows(owner: Owner, addressed: Addressed): Promise<boolean>;
    get(owner: Owner, invocationId: string): Promise<Found | Refusal>;
    steps(owner: Owner, invocationId: string): Promise<Found | Refusal>;
    /** SSE bytes after sequence number `after` (0 = all), until the terminal event. */
    events(owner: Owner, invocationId: string, after: number): Promise<FoundEvents | Refusal>;
    cancel(owner: Owner, invocationId: string): Promise<Found | Refusal>;
    /** What is held of these leases; `give`: what of it is free goes back. */
    leases(owner: Owner, asked: readonly Asked[], give: boolean): Promise<HeldLeases | Refusal>;
    /** Run what is live now, and end what a stop holds. */
    obey(owner: Owner): Promise<Acknowledged | Refusal>;
    /** A new invocation from a terminal one's input (`redriven_from`), same session. */
    retry(
      owner: Owner,
      invocationId: string,
      call: Omit<Call, "input">,
    ): Promise<Answered | Refusal>;
    /** Store a release without making it live; idempotent by generation. */
    install(release: Release): Promise<Acknowledged | Refusal>;
    /** An `llm` agent is healthy when its spec resolves and its providers' keys open. */
    health(owner: Owner, generation: number): Promise<Acknowledged | Refusal>;
    /** Take up what is left to do, and what is live by now: for one that nobody calls. */
    visit(owner: Owner, generation: number): Promise<Acknowledged | Refusal>;
    /** Up to `limit` unacknowledged ledger entries, oldest first. */
    ledger(owner: Owner, limit: number): Promise<LedgerPage | Refusal>;
    acknowledge(owner: Owner, ids: readonly string[]): Promise<Acknowledged | Refusal>;
    /**
     * Stop everything, over restarts too, until something is asked while the tenant is active.
     *
     * @param open  `cancel`: what is open ends as cancelled, and is owed to the ledger.
     */
    rest(owner: Owner, open?: "cancel"): Promise<Acknowledged | Refusal>;
    /** Rows of an object at rest, in one order always. */
    exportPage(owner: Owner, cursor?: ObjectCursor): Promise<ObjectPage | Refusal>;
    /** Rows into an object that is nobody's, or that `transfer` began to fill; it rests then. */
    importPage(
      owner: Owner,
      transfer: string,
      rows: readonly ObjectRow[],
    ): Promise<Acknowledged | Refusal>;
    /** Nothing of it is left but that it was erased; again is no error. */
    erase(owner: Owner): Promise<Acknowledged | Refusal>;
  };
