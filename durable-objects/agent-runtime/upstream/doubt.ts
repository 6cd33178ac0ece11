/**
 * A request that was sent, may not be sent twice, and of which nobody knows what came (U2): people
 * are asked, unless the spec says that the run ends so.
 */
import { EFFECT_RULE } from "../../../core/approvals/contract.ts";
import { storedBody } from "../../../core/upstreams/body.ts";
import { gate } from "../approvals.ts";
import type { Fact } from "../events.ts";
import { RunFailure, Suspended } from "../failure.ts";
import type { HttpClaim, Kernel } from "../kernel.ts";
import { findStep, finishStep, moveStep, NO_COST, triedAgain } from "../steps.ts";
import { UPSTREAM_STEP, type Asked } from "./asked.ts";

/**
 * What people say that came of it, or `send` when it may go out again.
 *
 * @throws Suspended   while nobody has decided; the step is `unknown` then
 * @throws RunFailure  it did not happen; `effect_unknown`, where the spec says so; `approval_expired`
 */
export function settleDoubt(
  kernel: Kernel,
  claim: HttpClaim,
  asked: Asked,
): { readonly result: string } | "send" {
  const { spec, upstream } = claim.installed;
  if (spec.upstream.on_unknown === "fail") throw leftUnknown(kernel, claim);
  const { method, path, body } = asked.outgoing;
  const row = findStep(kernel.sql, claim.id, UPSTREAM_STEP);
  const decision = asking(kernel, claim, () =>
    gate(kernel, claim, {
      stepKey: UPSTREAM_STEP,
      kind: "effect",
      name: upstream.name,
      arguments: { method, path, body: body === null ? null : storedBody(body) },
      rule: EFFECT_RULE,
      occurrence: row?.tries ?? 0,
    }),
  );
  if (decision.verdict === "happened") return { result: decision.result };
  if (decision.verdict === "rejected") throw didNotHappen(kernel, claim, decision.reason);
  kernel.sql.transaction(() => {
    // Not `sent` yet: it may have to wait for its upstream first, and is not asked about again then.
    moveStep(kernel.sql, claim.id, UPSTREAM_STEP, "unknown", "planned");
    triedAgain(kernel.sql, claim.id, UPSTREAM_STEP); // what is unknown once more is asked once more
  });
  return "send";
}

/** The same for a request whose answer has just been lost: what the run throws. */
export function doubtOf(kernel: Kernel, claim: HttpClaim, asked: Asked): Error {
  try {
    settleDoubt(kernel, claim, asked);
    return new Error("a request was decided about before it was lost");
  } catch (e) {
    return e instanceof Error ? e : new Error(String(e));
  }
}

/** The step is `unknown` from the moment people are asked. */
function asking<T>(kernel: Kernel, claim: HttpClaim, ask: () => T): T {
  try {
    return ask();
  } catch (e) {
    const row = findStep(kernel.sql, claim.id, UPSTREAM_STEP);
    if (!(e instanceof Suspended) || row?.state !== "sent") throw e;
    const step = { key: UPSTREAM_STEP, state: "unknown", code: "effect_unknown" };
    const record = (): void => {
      moveStep(kernel.sql, claim.id, UPSTREAM_STEP, "sent", "unknown");
      e.record();
    };
    throw new Suspended(e.reason, e.dueMs, [["step.finished", step], ...e.facts], record, e.told);
  }
}

function leftUnknown(kernel: Kernel, claim: HttpClaim): RunFailure {
  const code = "effect_unknown" as const;
  const failure = { code, detail: "whether the upstream took the request is unknown" };
  return ended(kernel, claim, "unknown", failure);
}

function didNotHappen(kernel: Kernel, claim: HttpClaim, reason: string): RunFailure {
  const code = "upstream_failed" as const;
  const detail = `the upstream did not take the request. ${reason}`.trim();
  return ended(kernel, claim, "failed", { code, detail });
}

function ended(
  kernel: Kernel,
  claim: HttpClaim,
  state: "failed" | "unknown",
  failure: { readonly code: "effect_unknown" | "upstream_failed"; readonly detail: string },
): RunFailure {
  const fact: Fact = ["step.finished", { key: UPSTREAM_STEP, state, ...failure }];
  return new RunFailure(failure, false, [fact], () => {
    const nowMs = kernel.now();
    finishStep(kernel.sql, claim.id, UPSTREAM_STEP, state, { failure }, NO_COST, nowMs);
  });
}
