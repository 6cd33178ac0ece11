import type { InvocationStatus } from "../../core/invocations/contract.ts";
import type { ProblemData, Refusal } from "../../core/problem.ts";
import type { OpenBreaker } from "../../core/runs/contract.ts";
import type { UpstreamHealth } from "../../core/upstreams/contract.ts";
import type { Acknowledged, Call, Owner } from "./contract.ts";
import type { Text } from "./text.ts";

/** What a proxied request comes to. */
export type Proxied = {
  readonly ok: true;
  readonly id: string;
  readonly status: InvocationStatus;
  /** The key was known: this is what was answered before. */
  readonly replayed: boolean;
} & (
  | {
      readonly kind: "answer";
      readonly httpStatus: number;
      readonly headers: Readonly<Record<string, string>>;
      /** As it comes, or as it was stored; null for none. */
      readonly body: ReadableStream<Uint8Array> | null;
    }
  /** Open still: kept, or longer under way than the caller would wait. `body`: the invocation. */
  | { readonly kind: "open"; readonly body: Text }
  /** It ended without an answer. */
  | { readonly kind: "failed"; readonly problem: ProblemData }
);

/** How an agent's object is doing in one environment. */
export type Condition = {
  readonly ok: true;
  readonly paused: boolean;
  /** Invocations that are open: those that run, wait, or are kept. */
  readonly open: number;
  /** Null for an agent that has none. */
  readonly upstream: UpstreamHealth | null;
  readonly breakers: readonly OpenBreaker[];
};

/** What the agent's object does for its upstream and for its operator. */
export type UpstreamRpc = {
  /** `call.input` is a `{request}`; answers as soon as the upstream's head is there. */
  proxy(call: Call, waitMs: number): Promise<Proxied | Refusal>;
  /** What is live here was changed in the control plane: take it up now. */
  refresh(owner: Owner): Promise<Acknowledged | Refusal>;
  /** What runs is interrupted as by a crash and goes on from its journal; nothing is known of the upstream. */
  restart(owner: Owner): Promise<Acknowledged | Refusal>;
  condition(owner: Owner): Promise<Condition | Refusal>;
};
