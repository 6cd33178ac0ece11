import type { HistoryWindow } from "../../core/agents/spec.ts";
import type { ModelMessage, ToolCall } from "../../core/models/contract.ts";
import { estimateTokens } from "../../core/models/usage.ts";
import { pack, unpack } from "./content.ts";
import type { Sql } from "./sql.ts";

type MessageRow = {
  turn: number;
  role: "system" | "user" | "assistant" | "tool";
  content: string;
  tool_calls: string | null;
  tool_call_id: string | null;
  tokens: number;
};

/** Store messages of a turn from position `n` on; `id` is the turn's invocation. */
export function appendMessages(
  sql: Sql,
  place: {
    readonly id: string;
    readonly sessionId: string;
    readonly turn: number;
    readonly n: number;
  },
  messages: readonly ModelMessage[],
): void {
  let n = place.n;
  for (const message of messages) {
    const calls = message.role === "assistant" ? message.toolCalls : undefined;
    sql.run(
      "INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
      place.sessionId,
      place.turn,
      n,
      place.id,
      message.role,
      pack(sql, `${place.sessionId}/${place.turn}/${n}`, message.content),
      calls && calls.length > 0 ? JSON.stringify(calls) : null,
      message.role === "tool" ? message.toolCallId : null,
      estimateTokens(message.content),
    );
    n += 1;
  }
}

/**
 * What the model sees of a session before `turn`: whole turns, newest first until a bound of the
 * window is reached, returned oldest first. Turns without an answer (failed, cancelled) are left
 * out, so no user message stands unanswered.
 */
export function historyBefore(
  sql: Sql,
  sessionId: string,
  turn: number,
  window: HistoryWindow,
): ModelMessage[] {
  if (turn === 0 || window.max_turns === 0) return [];
  const rows = sql.all<MessageRow>(
    `SELECT turn, role, content, tool_calls, tool_call_id, tokens FROM message
     WHERE session_id = ? AND turn < ? AND turn >= ? ORDER BY turn DESC, n DESC`,
    sessionId,
    turn,
    turn - window.max_turns,
  );
  const kept: MessageRow[] = [];
  let tokens = 0;
  for (let start = 0, end = 0; start < rows.length; start = end) {
    while (end < rows.length && rows[end]?.turn === rows[start]?.turn) end += 1;
    if (rows[start]?.role !== "assistant") continue;
    const whole = rows.slice(start, end);
    tokens += whole.reduce((sum, row) => sum + row.tokens, 0);
    if (tokens > window.max_tokens) break;
    kept.push(...whole);
  }
  return kept.toReversed().map((row) => messageOf(sql, row));
}

/** The messages of one turn as they were stored, oldest first. */
export function turnMessages(sql: Sql, sessionId: string, turn: number): ModelMessage[] {
  return sql
    .all<MessageRow>(
      `SELECT turn, role, content, tool_calls, tool_call_id, tokens FROM message
       WHERE session_id = ? AND turn = ? ORDER BY n`,
      sessionId,
      turn,
    )
    .map((row) => messageOf(sql, row));
}

function messageOf(sql: Sql, row: MessageRow): ModelMessage {
  const content = unpack(sql, row.content);
  if (row.role === "tool") return { role: "tool", content, toolCallId: row.tool_call_id ?? "" };
  if (row.role === "assistant") {
    if (row.tool_calls === null) return { role: "assistant", content };
    return { role: "assistant", content, toolCalls: JSON.parse(row.tool_calls) as ToolCall[] };
  }
  return { role: row.role, content };
}
