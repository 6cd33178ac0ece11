/**
 * The chat completions wire: what is sent and how an answer is read. Shared by the adapter over the
 * `openai` package and by the codec over `fetch`, so that the two can differ in transport only.
 *
 * @source OpenAI API reference, `POST /chat/completions`.
 */
import type {
  ChatCompletionCreateParamsNonStreaming,
  ChatCompletionFunctionTool,
  ChatCompletionMessageParam,
} from "openai/resources/chat/completions";
import type { ToolOffer } from "../tools/contract.ts";
import type { Fetch, ModelAnswer, ModelMessage, ModelRequest, ToolCall } from "./contract.ts";
import { brokenAnswer } from "./failures.ts";
import { estimateUsage, reportedUsage } from "./usage.ts";

/** Most tool calls of one answer. */
export const MOST_CALLS = 128;
const MOST_NAME = 200;

/** One provider as an adapter needs it. */
export type ProviderAccess = {
  /** `https://api.openai.com/v1` or any compatible one; `/chat/completions` is added. */
  readonly baseUrl: string;
  /** Null for a provider that asks for none. */
  readonly apiKey: string | null;
  /** Already behind the egress rule. */
  readonly fetch: Fetch;
};

/** Base URL without a trailing slash or fragment, and the endpoint under it. */
export function endpoint(baseUrl: string): { readonly base: string; readonly chat: URL } {
  const base = new URL(baseUrl);
  base.hash = "";
  while (base.pathname.length > 1 && base.pathname.endsWith("/")) {
    base.pathname = base.pathname.slice(0, -1);
  }
  const chat = new URL(base);
  chat.pathname = `${base.pathname === "/" ? "" : base.pathname}/chat/completions`;
  return { base: base.href, chat };
}

/**
 * The body of a plain call.
 *
 * OpenAI's own newer models refuse `max_tokens`, most compatible servers know nothing else: the
 * limit's name follows the host.
 */
export function chatBody(request: ModelRequest, host: string) {
  const { temperature, top_p, stop, max_output_tokens: limit } = request.parameters;
  const limitName = host === "api.openai.com" ? "max_completion_tokens" : "max_tokens";
  return {
    model: request.model,
    messages: request.messages.map(wireMessage),
    ...(request.tools.length > 0 ? { tools: request.tools.map(wireTool) } : {}),
    ...(temperature === undefined ? {} : { temperature }),
    ...(top_p === undefined ? {} : { top_p }),
    ...(stop === undefined ? {} : { stop }),
    ...(limit === undefined ? {} : { [limitName]: limit }),
  } satisfies ChatCompletionCreateParamsNonStreaming;
}

/**
 * The answer inside a plain response.
 *
 * @throws ModelFailure  retryable, when it is none.
 */
export function readAnswer(json: unknown, request: ModelRequest): ModelAnswer {
  const body = record(json);
  const choice = record(list(body?.choices)[0]);
  const message = record(choice?.message);
  if (body === undefined || message === undefined) throw brokenAnswer("sent no answer");
  const calls = list(message.tool_calls).map((call) => rawCall(call));
  return finishAnswer(request, {
    text: textOf(message.content) ?? textOf(message.refusal) ?? "",
    calls,
    finish: choice?.finish_reason,
    usage: body.usage,
    model: body.model,
  });
}

/** A tool call before its id is settled. */
export type RawCall = { readonly id: string; readonly name: string; readonly arguments: string };

export type RawAnswer = {
  readonly text: string;
  readonly calls: readonly RawCall[];
  readonly finish: unknown;
  readonly usage: unknown;
  readonly model: unknown;
};

/** Settle what providers disagree about: call ids, the reason of the end, missing usage. */
export function finishAnswer(request: ModelRequest, raw: RawAnswer): ModelAnswer {
  const text = raw.text.toWellFormed();
  const toolCalls = settleCalls(raw.calls);
  const usage = record(raw.usage);
  return {
    text,
    toolCalls,
    finishReason: finishReason(raw.finish, toolCalls.length > 0),
    usage:
      reportedUsage(usage?.prompt_tokens, usage?.completion_tokens) ??
      estimateUsage(request, text, toolCalls),
    model:
      typeof raw.model === "string" && raw.model !== ""
        ? raw.model.slice(0, MOST_NAME).toWellFormed()
        : request.model,
  };
}

export function record(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return value as Readonly<Record<string, unknown>>; // an object; every field is still unknown
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function rawCall(value: unknown): RawCall {
  const call = record(value);
  const target = record(call?.function);
  return {
    id: textOf(call?.id) ?? "",
    name: textOf(target?.name) ?? "",
    arguments: argumentsText(target?.arguments),
  };
}

/** Some compatible servers send the arguments as an object instead of JSON text. */
export function argumentsText(value: unknown): string {
  if (typeof value === "string") return value;
  return value === undefined || value === null ? "" : JSON.stringify(value);
}

/** @throws ModelFailure  when there are so many that no model can have meant it. */
function settleCalls(raw: readonly RawCall[]): readonly ToolCall[] {
  if (raw.length > MOST_CALLS) throw brokenAnswer("sent too many tool calls");
  const seen = new Set<string>();
  return raw.map((call, n) => {
    let id = call.id.slice(0, MOST_NAME).toWellFormed();
    while (id === "" || seen.has(id)) id = `call_${n}_${seen.size}${id === "" ? "" : "x"}`;
    seen.add(id);
    const name = call.name.slice(0, MOST_NAME).toWellFormed();
    return { id, name, arguments: call.arguments.toWellFormed() };
  });
}

function finishReason(reason: unknown, called: boolean): ModelAnswer["finishReason"] {
  if (reason === "length" || reason === "content_filter") return reason;
  return called ? "tool_calls" : "stop";
}

function wireMessage(message: ModelMessage): ChatCompletionMessageParam {
  if (message.role === "tool") {
    return { role: "tool", tool_call_id: message.toolCallId, content: message.content };
  }
  if (message.role !== "assistant" || !message.toolCalls?.length) {
    return { role: message.role, content: message.content };
  }
  return {
    role: "assistant",
    content: message.content === "" ? null : message.content,
    tool_calls: message.toolCalls.map((call) => ({
      id: call.id,
      type: "function",
      function: { name: call.name, arguments: call.arguments },
    })),
  };
}

function wireTool(offer: ToolOffer): ChatCompletionFunctionTool {
  return {
    type: "function",
    function: {
      name: offer.name,
      description: offer.description,
      parameters: offer.inputSchema,
    },
  };
}
