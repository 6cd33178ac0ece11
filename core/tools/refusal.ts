import type { ProblemPlace } from "../problem.ts";
import type { ToolResult } from "./contract.ts";

/** What a model reads when its arguments were not taken; nothing was called. */
export function refusedArguments(places: readonly ProblemPlace[]): ToolResult {
  const wrong = places.map(({ pointer, detail }) => `${pointer === "" ? "/" : pointer} ${detail}`);
  return failed(`The arguments were refused: ${wrong.join("; ")}.`);
}

/** An error a model can read and act on. */
export function failed(content: string): ToolResult {
  return { content, isError: true };
}
