import type { Output } from "../../core/invocations/contract.ts";
import { estimateTokens } from "../../core/models/usage.ts";
import { unpack } from "./content.ts";
import { readEvents } from "./events.ts";
import type { InvocationRow } from "./invocations.ts";
import { inputMessages, tokensOf } from "./sessions.ts";
import type { Sql } from "./sql.ts";

/** Why a turn was cut short, and what is kept of it. */
export type Cut = {
  readonly reason: "interrupted" | "rolled_back";
  /** What it had said; without it the turn is in no later turn's history. */
  readonly output?: Output;
  /** Of what it then adds to a history window. */
  readonly tokens?: number;
};

/** An interrupted turn keeps what readers were shown of its answer, marked as broken off. */
export function interruptedWith(sql: Sql, row: InvocationRow): Cut {
  const text = wordsSoFar(sql, row.id);
  const input = inputMessages(unpack(sql, row.input));
  return {
    reason: "interrupted",
    output: { text, messages: [{ role: "assistant", content: text }], interrupted: true },
    tokens: tokensOf(input) + estimateTokens(text),
  };
}

/**
 * The words of an open turn as its log has them, a paragraph for each model call. Those of an
 * attempt that broke off are not among them: readers were told to drop them.
 */
function wordsSoFar(sql: Sql, invocationId: string): string {
  const said: string[] = [];
  let now = "";
  for (let after = 0; ;) {
    const events = readEvents(sql, invocationId, after);
    for (const { event, data } of events) {
      if (event === "message.delta") now += String(data["text"]);
      else if (event === "run.restarted") now = "";
      else if (event === "step.finished" && now !== "") {
        if (data["state"] === "done") said.push(now);
        now = "";
      }
    }
    const last = events.at(-1);
    if (last === undefined) break;
    after = last.seq;
  }
  return [...said, now].filter((words) => words !== "").join("\n\n");
}
