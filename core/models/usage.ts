import type { ModelRequest, TokenUsage, ToolCall } from "./contract.ts";

const BYTES_PER_TOKEN = 4;
const MOST_TOKENS = 1_000_000_000;
const encoder = new TextEncoder();

/** Tokens of a text when nobody counted them: UTF-8 bytes / 4, rounded up. */
export function estimateTokens(text: string): number {
  return Math.ceil(byteLength(text) / BYTES_PER_TOKEN);
}

/** Estimated input tokens of a request: every message, tool call and tool offer. */
export function estimateInputTokens(request: ModelRequest): number {
  let bytes = 0;
  for (const message of request.messages) {
    bytes += byteLength(message.content);
    if (message.role === "assistant") bytes += callBytes(message.toolCalls ?? []);
  }
  for (const offer of request.tools) {
    bytes += byteLength(offer.name) + byteLength(offer.description);
    bytes += byteLength(JSON.stringify(offer.inputSchema));
  }
  return Math.ceil(bytes / BYTES_PER_TOKEN);
}

/** Usage of a finished call that nobody counted. */
export function estimateUsage(
  request: ModelRequest,
  text: string,
  toolCalls: readonly ToolCall[],
): TokenUsage {
  const outputBytes = byteLength(text) + callBytes(toolCalls);
  return {
    inputTokens: estimateInputTokens(request),
    outputTokens: Math.ceil(outputBytes / BYTES_PER_TOKEN),
    estimated: true,
  };
}

/**
 * Usage as a provider reported it, or `undefined` when it sent none that can be believed: both
 * counts must be finite and not negative. Clamped, so that no sum leaves the safe integers.
 */
export function reportedUsage(inputTokens: unknown, outputTokens: unknown): TokenUsage | undefined {
  if (!countable(inputTokens) || !countable(outputTokens)) return undefined;
  return { inputTokens: clamp(inputTokens), outputTokens: clamp(outputTokens), estimated: false };
}

function countable(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

function clamp(value: number): number {
  return Math.min(Math.ceil(value), MOST_TOKENS);
}

function callBytes(calls: readonly ToolCall[]): number {
  let bytes = 0;
  for (const call of calls) bytes += byteLength(call.name) + byteLength(call.arguments);
  return bytes;
}

function byteLength(text: string): number {
  return encoder.encode(text).byteLength;
}
