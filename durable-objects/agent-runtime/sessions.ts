import type { HistoryWindow } from "../../core/agents/spec.ts";
import type { InputMessage, Output } from "../../core/invocations/contract.ts";
import type { ModelMessage } from "../../core/models/contract.ts";
import { estimateTokens } from "../../core/models/usage.ts";
import type { z } from "zod";
import { unpack } from "./content.ts";
import type { Sql } from "./sql.ts";

type TurnRow = {
  readonly turn: number;
  readonly input: string;
  readonly output: string;
  readonly tokens: number;
};

/** A turn that has an answer. */
export type Turn = {
  readonly turn: number;
  readonly tokens: number;
  readonly messages: readonly ModelMessage[];
};

/** Turns before `through` in a few words; made for `turn`, and what that and later ones are told. */
export type Summary = { readonly turn: number; readonly through: number; readonly text: string };

/**
 * What the model sees of a session before `turn`: whole turns, newest first until a bound of the
 * window is reached, returned oldest first. Turns without an answer (failed, cancelled) are left
 * out, so no user message stands unanswered; one that was interrupted has what it had said. Where
 * histories are compacted, the summary stands in the place of the turns that are in it.
 */
export function historyBefore(
  sql: Sql,
  sessionId: string,
  turn: number,
  window: HistoryWindow,
): ModelMessage[] {
  if (turn === 0 || window.max_turns === 0) return [];
  const summary = window.compaction && summaryBefore(sql, sessionId, turn);
  const from = Math.max(summary?.through ?? 0, turn - window.max_turns);
  const rows = sql.all<TurnRow>(`${ANSWERED} ORDER BY turn DESC`, sessionId, turn, from);
  const kept: TurnRow[] = [];
  let tokens = 0;
  for (const row of rows) {
    tokens += row.tokens;
    if (tokens > window.max_tokens) break;
    kept.push(row);
  }
  const said = kept.toReversed().flatMap((row) => messagesOf(sql, row));
  return summary ? [toldSummary(summary), ...said] : said;
}

/** The newest summary that was made for this turn or one before it. */
export function summaryBefore(sql: Sql, sessionId: string, turn: number): Summary | undefined {
  const row = sql.one<Summary>(
    `SELECT turn, through, text FROM summary WHERE session_id = ? AND turn <= ?
     ORDER BY turn DESC LIMIT 1`,
    sessionId,
    turn,
  );
  return row && { ...row, text: unpack(sql, row.text) };
}

/** The answered turns from `from` on and before `turn`, oldest first. */
export function turnsSince(sql: Sql, sessionId: string, from: number, turn: number): Turn[] {
  return sql
    .all<TurnRow>(`${ANSWERED} ORDER BY turn`, sessionId, turn, from)
    .map((row) => ({ turn: row.turn, tokens: row.tokens, messages: messagesOf(sql, row) }));
}

/** One whose content was erased has no output any more. */
const ANSWERED = `SELECT turn, input, output, tokens FROM invocation
  WHERE session_id = ? AND turn < ? AND turn >= ? AND output IS NOT NULL
    AND status IN ('succeeded', 'cancelled')`;

function messagesOf(sql: Sql, row: TurnRow): ModelMessage[] {
  const output = JSON.parse(unpack(sql, row.output)) as Output;
  return inputMessages(unpack(sql, row.input)).concat(saidIn(output));
}

function toldSummary({ text }: Summary): ModelMessage {
  return { role: "system", content: `Summary of the conversation before:\n${text}` };
}

/** `InvokeBody.input` as messages; the edge has checked its shape. A proxied request is none. */
export function inputMessages(input: string): ModelMessage[] {
  const parsed = JSON.parse(input) as string | z.infer<typeof InputMessage>[] | object;
  if (typeof parsed === "string") return [{ role: "user", content: parsed }];
  return Array.isArray(parsed) ? parsed : [];
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
