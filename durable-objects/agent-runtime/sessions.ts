import type { HistoryWindow } from "../../core/agents/spec.ts";
import type { InputMessage, Output } from "../../core/invocations/contract.ts";
import type { ModelMessage } from "../../core/models/contract.ts";
import { estimateTokens } from "../../core/models/usage.ts";
import type { z } from "zod";
import { unpack } from "./content.ts";
import type { Sql } from "./sql.ts";

type TurnRow = { readonly input: string; readonly output: string; readonly tokens: number };

/**
 * What the model sees of a session before `turn`: whole turns, newest first until a bound of the
 * window is reached, returned oldest first. Turns without an answer (failed, cancelled) are left
 * out, so no user message stands unanswered; one that was interrupted has what it had said.
 */
export function historyBefore(
  sql: Sql,
  sessionId: string,
  turn: number,
  window: HistoryWindow,
): ModelMessage[] {
  if (turn === 0 || window.max_turns === 0) return [];
  const rows = sql.all<TurnRow>(
    `SELECT input, output, tokens FROM invocation
     WHERE session_id = ? AND turn < ? AND turn >= ?
       AND (status = 'succeeded' OR status = 'cancelled' AND output IS NOT NULL)
     ORDER BY turn DESC`,
    sessionId,
    turn,
    turn - window.max_turns,
  );
  const kept: TurnRow[] = [];
  let tokens = 0;
  for (const row of rows) {
    tokens += row.tokens;
    if (tokens > window.max_tokens) break;
    kept.push(row);
  }
  return kept.toReversed().flatMap((row) => {
    const output = JSON.parse(unpack(sql, row.output)) as Output;
    return inputMessages(unpack(sql, row.input)).concat(saidIn(output));
  });
}

/** `InvokeBody.input` as messages; the edge has checked its shape. */
export function inputMessages(input: string): ModelMessage[] {
  const parsed = JSON.parse(input) as string | z.infer<typeof InputMessage>[];
  return typeof parsed === "string" ? [{ role: "user", content: parsed }] : parsed;
}

/** What a turn of these messages takes of a later turn's window. */
export function tokensOf(messages: readonly ModelMessage[]): number {
  return messages.reduce((sum, { content }) => sum + estimateTokens(content), 0);
}

/** The mark tells the model that it was broken off there, and did not choose to end so. */
function saidIn({ messages, interrupted }: Output): ModelMessage[] {
  const said = messages.map(messageOf);
  return interrupted
    ? said.map((message) => ({ ...message, content: `${message.content} [interrupted]`.trim() }))
    : said;
}

function messageOf(message: Output["messages"][number]): ModelMessage {
  const { role, content } = message;
  if (role === "tool") return { role, content, toolCallId: message.tool_call_id ?? "" };
  return message.tool_calls ? { role, content, toolCalls: message.tool_calls } : { role, content };
}
