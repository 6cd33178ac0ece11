/**
 * Calls whose outcome is not plain: the far side could not answer now, or nobody knows whether it
 * did what it was asked.
 *
 * O1  What is neither idempotent nor has a look-up is sent once, unless a person says otherwise.
 * O2  A look-up is believed: what it says happened is the call's result, what it says did not is
 *     sent again under the same key.
 * O3  Where there is no other way people are asked; until they have decided the step is `unknown`.
 */
import { EFFECT_RULE } from "../../core/approvals/contract.ts";
import { retryDelayMs } from "../../core/runs/retry.ts";
import type { Backoff } from "../../core/runs/contract.ts";
import { ToolFailure, type Tool, type ToolResult } from "../../core/tools/contract.ts";
import { gate } from "./approvals.ts";
import { perform } from "./effects.ts";
import { Again, Fenced, RunFailure, Suspended } from "./failure.ts";
import type { Fact } from "./events.ts";
import { current, type Claim, type Kernel } from "./kernel.ts";
import { findStep, moveStep, triedAgain, type StepRow } from "./steps.ts";

/** A call that may have been made. */
export type Doubtful = {
  readonly key: string;
  readonly tool: Tool;
  /** What it was, or may have been, sent with. */
  readonly args: unknown;
  readonly idempotencyKey: string;
  readonly signal: AbortSignal;
};

/** Look-ups that were not answered, before people are asked. */
const LOOKUPS = 5;
const LOOKUP_BACKOFF: Backoff = { policy: "exponential", base_ms: 1000, cap_ms: 60_000 };

/** May this call be made again without anybody being asked? */
export function repeatable(tool: Tool): boolean {
  return tool.idempotent || tool.lookup !== undefined;
}

/**
 * What came of a call that may have been made, or `send` when it did not happen, or may happen twice.
 *
 * @throws Again       the look-up was not answered
 * @throws Suspended   people are asked
 * @throws RunFailure  `effect_unknown`, where the spec says so; `approval_expired`
 */
export async function settleDoubt(
  kernel: Kernel,
  claim: Claim,
  call: Doubtful,
): Promise<ToolResult | "send"> {
  const { tool, key, args, idempotencyKey, signal } = call;
  if (tool.idempotent) return "send";
  const row = findStep(kernel.sql, claim.id, key);
  if (!tool.lookup || row?.state === "unknown") return decided(kernel, claim, call, row);
  const { lookup } = tool;
  try {
    const found = await perform(kernel, `${key} look-up`, () =>
      lookup(args, { idempotencyKey, signal }),
    );
    return found.happened ? found.result : "send";
  } catch (e) {
    if (!current(kernel, claim)) throw new Fenced();
    if (!(e instanceof ToolFailure)) throw e;
    const tries = row?.tries ?? 0;
    if (tries < LOOKUPS) throw again(kernel, claim, key, LOOKUP_BACKOFF, tries);
    return decided(kernel, claim, call, row);
  }
}

/** The same call again a little later, from the journal. */
export function again(
  kernel: Kernel,
  claim: Claim,
  key: string,
  backoff: Backoff,
  tries: number,
  retryAfterMs?: number,
): Again {
  const waitMs = retryDelayMs(backoff, tries + 1, retryAfterMs, kernel.random());
  const fact: Fact = ["step.finished", { key, state: "failed", retry: tries + 1 }];
  return new Again(kernel.now() + waitMs, [fact], () => triedAgain(kernel.sql, claim.id, key));
}

function decided(
  kernel: Kernel,
  claim: Claim,
  { tool, key, args }: Doubtful,
  row: StepRow | undefined,
): ToolResult | "send" {
  const { name } = tool.offer;
  if (tool.rules?.onUnknown === "fail") throw unknownOutcome(kernel, claim, key, name);
  const rule = { ...(tool.approval ?? EFFECT_RULE), on_expiry: "fail", editable: false } as const;
  const ask = { stepKey: key, kind: "effect", name, arguments: args, rule } as const;
  const decision = asked(kernel, claim, row, () =>
    gate(kernel, claim, { ...ask, occurrence: row?.tries ?? 0 }),
  );
  if (decision.verdict === "happened") return { content: decision.result, isError: false };
  if (decision.verdict === "rejected") {
    return { content: `The call did not take effect. ${decision.reason}`.trim(), isError: true };
  }
  kernel.sql.transaction(() => {
    moveStep(kernel.sql, claim.id, key, "unknown", "sent");
    triedAgain(kernel.sql, claim.id, key); // what is unknown once more is asked once more
  });
  return "send";
}

/** The step is `unknown` from the moment people are asked. */
function asked<T>(kernel: Kernel, claim: Claim, row: StepRow | undefined, ask: () => T): T {
  try {
    return ask();
  } catch (e) {
    if (!(e instanceof Suspended) || !row || row.state === "unknown") throw e;
    const { key } = row;
    const fact: Fact = ["step.finished", { key, state: "unknown", code: "effect_unknown" }];
    const record = (): void => {
      moveStep(kernel.sql, claim.id, key, "sent", "unknown");
      e.record();
    };
    throw new Suspended(e.reason, e.dueMs, [fact, ...e.facts], record, e.told);
  }
}

function unknownOutcome(kernel: Kernel, claim: Claim, key: string, name: string): RunFailure {
  const detail = `whether tool ${name} took effect is unknown`;
  const failure = { code: "effect_unknown" as const, detail };
  const fact: Fact = ["step.finished", { key, state: "unknown", ...failure }];
  return new RunFailure(failure, false, [fact], () =>
    moveStep(kernel.sql, claim.id, key, "sent", "unknown"),
  );
}
