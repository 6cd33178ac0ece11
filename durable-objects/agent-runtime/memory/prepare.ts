import type { Kernel, LlmClaim } from "../kernel.ts";
import type { LlmInstalled } from "../releases.ts";
import { compact } from "./compact.ts";
import { settleForgotten } from "./forget.ts";
import { recallForTurn } from "./recall-step.ts";

/** Has a turn of this agent steps before its first model call? Of most it has none. */
export function prepares({ spec }: LlmInstalled): boolean {
  return spec.memory !== undefined || spec.history.compaction !== undefined;
}

/** What comes before the first model call: a summary, when the history is due for one, and recall. */
export async function prepare(kernel: Kernel, claim: LlmClaim): Promise<void> {
  settleForgotten(kernel.sql);
  await compact(kernel, claim);
  await recallForTurn(kernel, claim);
}
