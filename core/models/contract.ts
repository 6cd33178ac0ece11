import type { KnowledgeItem, ModelParameters } from "../agents/spec.ts";
import type { ProblemData } from "../problem.ts";
import type { RetryableError } from "../runs/contract.ts";
import type { ToolOffer } from "../tools/contract.ts";

/** The global `fetch` or a stand-in; models and tools never reach for the global themselves. */
export type Fetch = (request: string | URL, init?: RequestInit) => Promise<Response>;

/** `arguments` is the JSON text exactly as the model wrote it: it may be broken. */
export type ToolCall = { readonly id: string; readonly name: string; readonly arguments: string };

export type ModelMessage =
  | { readonly role: "system" | "user"; readonly content: string }
  | {
      readonly role: "assistant";
      readonly content: string;
      readonly toolCalls?: readonly ToolCall[];
    }
  | { readonly role: "tool"; readonly content: string; readonly toolCallId: string };

export type ModelRequest = {
  /** Without the provider's prefix. */
  readonly model: string;
  /** The last one is what is to be answered. */
  readonly messages: readonly ModelMessage[];
  readonly tools: readonly ToolOffer[];
  readonly parameters: ModelParameters;
  /** Stable over attempts and restarts; sent as `Idempotency-Key`. */
  readonly idempotencyKey: string;
  /** Beside the messages, for a model that searches and quotes by itself. */
  readonly passages?: readonly KnowledgeItem[];
  /** What the messages ask for, when it is no answer; a model that reads them needs not be told. */
  readonly task?: "summary";
};

/** Tokens of one call. `estimated` when the provider sent none: bytes / 4, rounded up. */
export type TokenUsage = {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly estimated: boolean;
};

/** A passage an answer rests on. */
export type Source = { readonly title: string; readonly quote: string };

export type ModelAnswer = {
  readonly text: string;
  readonly toolCalls: readonly ToolCall[];
  readonly finishReason: "stop" | "length" | "tool_calls" | "content_filter";
  readonly usage: TokenUsage;
  /** The model's name as the provider reports it. */
  readonly model: string;
  readonly sources?: readonly Source[];
};

/** One provider's way of answering. Stateless; safe to share between runs. */
export type Model = {
  /**
   * Ask once. No retries inside: the journal decides about those.
   *
   * @param onDelta  Present: stream, and hand over each piece of text as it comes. Absent: one plain call.
   * @throws ModelFailure  for everything the provider did wrong, and for an aborted signal.
   */
  answer(
    request: ModelRequest,
    options: { readonly signal: AbortSignal; readonly onDelta?: (text: string) => void },
  ): Promise<ModelAnswer>;
};

/** Why no answer was had. `retryable` is the one distinction a durable run needs. */
export class ModelFailure extends Error {
  override readonly name = "ModelFailure";
  readonly retryable: boolean;
  readonly problem: ProblemData;
  /** From `Retry-After`, whole ms. */
  readonly retryAfterMs: number | undefined;
  /** Which of the things that a retry may mend; absent when it was not told apart, or none. */
  readonly kind: RetryableError | undefined;
  constructor(
    problem: ProblemData,
    retryable: boolean,
    retryAfterMs?: number,
    kind?: RetryableError,
  ) {
    super(problem.detail);
    this.problem = problem;
    this.retryable = retryable;
    this.retryAfterMs = retryAfterMs;
    this.kind = kind;
  }
}

/** Price of a model in micro-USD per million tokens; integers. */
export type Price = { readonly inputPerMillion: number; readonly outputPerMillion: number };
