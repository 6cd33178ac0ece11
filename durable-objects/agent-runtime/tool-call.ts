import type { ToolCall } from "../../core/models/contract.ts";
import {
  ToolFailure,
  type Tool,
  type ToolAnswer,
  type ToolResult,
} from "../../core/tools/contract.ts";
import { cleared, noted } from "./consent.ts";
import { perform } from "./effects.ts";
import { appendEvents, type Fact } from "./events.ts";
import { Fenced } from "./failure.ts";
import { current, type Claim, type Kernel } from "./kernel.ts";
import { awaiting } from "./patience.ts";
import { findStep, finishStep, moveStep, NO_COST, type StepCost } from "./steps.ts";
import { again, repeatable, settleDoubt, type Doubtful } from "./tool-outcome.ts";

/** A tool call that is in the journal, with its result when it has one. */
export type SentCall = {
  readonly key: string;
  readonly call: ToolCall;
  readonly tool: Tool | undefined;
  readonly args: unknown;
  readonly result: ToolResult | undefined;
  /** An earlier attempt may have made it. */
  readonly doubtful: boolean;
};

/** The result of one call, recorded when it is new. */
export async function callTool(
  kernel: Kernel,
  claim: Claim,
  sent: SentCall,
  signal: AbortSignal,
): Promise<ToolResult> {
  const result = await resultOf(kernel, claim, sent, signal);
  if (kernel.faults.watched) await kernel.faults.boundary(`${sent.key} recorded`);
  return result;
}

/** From the journal, of a person, or of the far side. */
async function resultOf(
  kernel: Kernel,
  claim: Claim,
  sent: SentCall,
  signal: AbortSignal,
): Promise<ToolResult> {
  const { key, tool } = sent;
  const row = findStep(kernel.sql, claim.id, key);
  if (sent.result && row?.finished_ms !== null) return sent.result;
  if (sent.result) return record(kernel, claim, sent, sent.result);
  if (!tool) throw new Error(`no tool ${sent.call.name}`);
  const clear = cleared(kernel, claim, { key, tool, args: sent.args });
  if ("result" in clear) return record(kernel, claim, sent, clear.result);
  const { args, edited } = clear;
  const idempotencyKey = `${claim.branch?.origin ?? claim.id}/${key}`;
  const call = { key, tool, args, idempotencyKey, signal };
  const result = await outcomeOf(kernel, claim, call, sent.doubtful);
  const cost = { ...NO_COST, costMicros: tool.rules?.priceMicros ?? 0 };
  return record(kernel, claim, sent, edited ? noted(result, args) : result, cost);
}

async function outcomeOf(
  kernel: Kernel,
  claim: Claim,
  call: Doubtful,
  doubtful: boolean,
): Promise<ToolResult> {
  const before = doubtful ? await settleDoubt(kernel, claim, call) : "send";
  return before === "send" ? send(kernel, claim, call) : before;
}

async function send(kernel: Kernel, claim: Claim, call: Doubtful): Promise<ToolResult> {
  const { key, tool, args, idempotencyKey, signal } = call;
  const { breaker, retry } = tool.rules ?? {};
  const probe = admitted(kernel, claim, call);
  const tries = findStep(kernel.sql, claim.id, key)?.tries ?? 0;
  const left = retry !== undefined && repeatable(tool) && tries + 1 < retry.attempts;
  try {
    const answer = await perform(kernel, key, () => tool.call(args, { idempotencyKey, signal }));
    kernel.faults.at("after-tool");
    if (breaker) report(kernel, call, answer.temporary, false);
    const { content, isError, temporary } = answer;
    if (!temporary) return { content, isError };
    if (probe) throwIfParked(kernel, claim, tool);
    if (!left) return { content, isError };
    throw again(kernel, claim, key, retry, tries, temporary.retryAfterMs);
  } catch (e) {
    const fault = e instanceof ToolFailure && e.kind ? { kind: e.kind } : undefined;
    if (fault ?? probe) report(kernel, call, fault, true);
    if (!current(kernel, claim)) throw new Fenced();
    if (!(e instanceof ToolFailure)) throw e;
    if (!e.sent) return { content: e.message, isError: true };
    if (probe) throwIfParked(kernel, claim, tool);
    if (left && tool.idempotent) throw again(kernel, claim, key, retry, tries);
    if (tool.idempotent) return { content: e.message, isError: true };
    const settled = await settleDoubt(kernel, claim, call);
    if (settled !== "send") return settled;
    if (left) throw again(kernel, claim, key, retry, tries);
    return { content: `${e.message} It did not take effect.`, isError: true };
  }
}

/** The probe of an open upstream failed: what may be made again waits for the next. */
function throwIfParked(kernel: Kernel, claim: Claim, tool: Tool): void {
  const name = tool.rules?.breaker?.name;
  if (name !== undefined && repeatable(tool)) throw awaiting(kernel, claim, name, true);
}

/**
 * Let through by the upstream's breaker: from here on the step is `sent`.
 *
 * @returns  whether this call is the probe
 * @throws Suspended | RunFailure  it is open, and there is time to wait or there is none
 */
function admitted(kernel: Kernel, claim: Claim, { key, tool }: Doubtful): boolean {
  const { breaker } = tool.rules ?? {};
  if (!breaker) return false;
  if (!current(kernel, claim)) throw new Fenced();
  const door = kernel.breakers.admit(breaker.name, kernel.now());
  if (door.ok) {
    moveStep(kernel.sql, claim.id, key, "planned", "sent");
    return door.probe;
  }
  // It does not leave, whatever becomes of the run and of the calls beside it.
  moveStep(kernel.sql, claim.id, key, "sent", "planned");
  throw awaiting(kernel, claim, breaker.name, false);
}

/** @param unanswered  Nothing was heard: what was no fault of the far side's tells nothing of it. */
function report(
  { breakers, now }: Kernel,
  { tool }: Doubtful,
  fault: ToolAnswer["temporary"],
  unanswered: boolean,
): void {
  const breaker = tool.rules?.breaker;
  if (!breaker) return;
  const { name, policy } = breaker;
  if (fault) breakers.failed(name, now(), policy, fault.retryAfterMs);
  else if (unanswered) breakers.released(name);
  else breakers.succeeded(name);
}

function record(
  kernel: Kernel,
  claim: Claim,
  sent: SentCall,
  result: ToolResult,
  cost: StepCost = NO_COST,
): ToolResult {
  if (!current(kernel, claim)) throw new Fenced();
  kernel.sql.transaction(() => {
    const nowMs = kernel.now();
    finishStep(kernel.sql, claim.id, sent.key, "done", { result }, cost, nowMs);
    const returned = { key: sent.key, call_id: sent.call.id, content: result.content };
    const facts: Fact[] = [["tool.returned", { ...returned, is_error: result.isError }]];
    appendEvents(kernel.sql, claim.id, claim.seq, facts, nowMs);
  });
  claim.seq += 1;
  kernel.feed.changed(claim.id);
  return result;
}
