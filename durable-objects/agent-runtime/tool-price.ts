import type { ToolCall } from "../../core/models/contract.ts";
import { RunFailure } from "./failure.ts";
import type { Kernel, LlmClaim } from "./kernel.ts";
import type { ModelStep } from "./model-step.ts";
import { findFirst, findStep, sumOf, toolKey } from "./steps.ts";

/** What the calls that model call `i` asked for cost, but for those that are made already. */
export function priceOf(
  kernel: Kernel,
  { id, installed }: LlmClaim,
  i: number,
  calls: readonly ToolCall[],
): number {
  let micros = 0;
  for (const [j, { name }] of calls.entries()) {
    const price = installed.tool(name)?.rules?.priceMicros ?? 0;
    if (price === 0) continue;
    const made = findStep(kernel.sql, id, toolKey(i, j))?.state === "done";
    if (!made) micros += price;
  }
  return micros;
}

/**
 * In the transaction that has recorded the model's step: do its calls fit into what the invocation
 * may cost?
 *
 * @throws RunFailure `budget_exceeded`; what the model has cost is recorded with it.
 */
export function demandAffordable(
  kernel: Kernel,
  { id, maxCostMicros }: LlmClaim,
  step: ModelStep,
  priceMicros: number,
): void {
  if (maxCostMicros === undefined) return;
  const spent = sumOf(kernel.sql, id, findFirst(kernel.sql, id) ?? null, true).cost_micros;
  if (spent + priceMicros <= maxCostMicros) return;
  const detail = `its tools cost ${priceMicros} micro-USD, more than is left of the ${maxCostMicros} it may`;
  const { facts, record } = knownOf(step);
  throw new RunFailure({ code: "budget_exceeded", detail }, false, facts, record);
}

/** Send calls that cost something, once that is put aside. @throws RunFailure | Suspended */
export function payable<T>({ spend }: Kernel, step: ModelStep, send: () => T): Promise<T> {
  return spend.funded(send, knownOf(step));
}

/** What the model's step leaves to be written should its calls not be made. */
function knownOf(step: ModelStep) {
  return { facts: step.facts, record: () => step.record() };
}
