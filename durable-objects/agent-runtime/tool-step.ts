import type { ModelMessage, ToolCall } from "../../core/models/contract.ts";
import { ToolFailure, type Tool, type ToolResult } from "../../core/tools/contract.ts";
import { cleared, foremost, hold, isHeld, noted } from "./consent.ts";
import { appendEvents, type Fact } from "./events.ts";
import { Fenced, RunFailure } from "./failure.ts";
import { current, underWay, type Kernel, type LlmClaim } from "./kernel.ts";
import { findStep, finishStep, markSent, NO_COST, outputOf, toolKey } from "./steps.ts";

/** A tool call that is in the journal, with its result when it has one. */
export type SentCall = {
  readonly key: string;
  readonly call: ToolCall;
  readonly tool: Tool | undefined;
  readonly args: unknown;
  readonly result: ToolResult | undefined;
};

/**
 * Record the calls a model asked for as `sent`, with the facts of the model's step, in the caller's
 * transaction (R1). The allow-list is checked here, at execution, not only when offering (G12): a
 * tool that is not the spec's, or arguments that are no JSON, become an error the model reads.
 */
export function sendTools(
  kernel: Kernel,
  claim: LlmClaim,
  i: number,
  calls: readonly ToolCall[],
  before: readonly Fact[],
): SentCall[] {
  const facts: Fact[] = [...before];
  const sent = calls.map((call, j) => {
    const key = toolKey(i, j);
    const known = journaled(kernel, claim, key, call);
    if (known) return known;
    const parsed = parseArguments(call.arguments);
    const tool = parsed.ok ? claim.installed.tool(call.name) : undefined;
    markSent(kernel.sql, {
      invocationId: claim.id,
      key,
      kind: "tool",
      name: call.name,
      attempt: claim.attempt,
      inputHash: kernel.sha256(`${call.name}\n${call.arguments}`),
      input: JSON.stringify(parsed.ok ? parsed.value : call.arguments),
      nowMs: kernel.now(),
    });
    facts.push([
      "tool.called",
      {
        key,
        call_id: call.id,
        name: call.name,
        arguments: parsed.ok ? parsed.value : call.arguments,
      },
    ]);
    const args = parsed.ok ? parsed.value : undefined;
    const refused = refusal(call, parsed.ok, tool);
    if (tool && isHeld({ tool, args })) hold(kernel.sql, claim.id, key);
    return { key, call, tool, args, result: refused };
  });
  if (facts.length > 0) {
    appendEvents(kernel.sql, claim.id, claim.seq, facts, kernel.now());
    claim.seq += facts.length;
  }
  return sent;
}

/** Make the calls that have no result yet, in parallel; each result is recorded as it comes. */
export async function callTools(
  kernel: Kernel,
  claim: LlmClaim,
  calls: readonly SentCall[],
): Promise<ModelMessage[]> {
  const stop = new AbortController();
  underWay(kernel, claim, stop);
  kernel.faults.at("before-tool");
  const outcomes = await Promise.allSettled(
    calls.map((sent) => callTool(kernel, claim, sent, stop.signal)),
  );
  const reasons = outcomes.flatMap((it) => (it.status === "rejected" ? [it.reason] : []));
  if (reasons.length > 0) throw foremost(reasons);
  return outcomes.flatMap((outcome, j): ModelMessage[] => {
    const call = calls[j]?.call;
    if (outcome.status === "rejected" || !call) return [];
    return [{ role: "tool", content: outcome.value.content, toolCallId: call.id }];
  });
}

async function callTool(
  kernel: Kernel,
  claim: LlmClaim,
  sent: SentCall,
  signal: AbortSignal,
): Promise<ToolResult> {
  const row = findStep(kernel.sql, claim.id, sent.key);
  if (row?.state === "done" && sent.result) return sent.result;
  if (sent.result) return record(kernel, claim, sent, sent.result);
  if (!sent.tool) throw new Error(`no tool ${sent.call.name}`);
  const clear = cleared(kernel, claim, { key: sent.key, tool: sent.tool, args: sent.args });
  if ("result" in clear) return record(kernel, claim, sent, clear.result);
  try {
    const result = await sent.tool.call(clear.args, {
      idempotencyKey: `${claim.branch?.origin ?? claim.id}/${sent.key}`,
      signal,
    });
    kernel.faults.at("after-tool");
    return record(kernel, claim, sent, clear.edited ? noted(result, clear.args) : result);
  } catch (e) {
    if (!current(kernel, claim)) throw new Fenced();
    if (!(e instanceof ToolFailure)) throw e;
    return unanswered(kernel, claim, sent, e);
  }
}

/** No answer was had: harmless if nothing was sent or the tool may be sent again, else unknown. */
function unanswered(
  kernel: Kernel,
  claim: LlmClaim,
  sent: SentCall,
  failure: ToolFailure,
): ToolResult {
  if (!failure.sent || sent.tool?.idempotent) {
    return record(kernel, claim, sent, { content: failure.message, isError: true });
  }
  throw unknownOutcome(kernel, claim, sent.key, sent.call.name);
}

function record(kernel: Kernel, claim: LlmClaim, sent: SentCall, result: ToolResult): ToolResult {
  if (!current(kernel, claim)) throw new Fenced();
  kernel.sql.transaction(() => {
    const nowMs = kernel.now();
    finishStep(kernel.sql, claim.id, sent.key, "done", { result }, NO_COST, nowMs);
    const returned = { key: sent.key, call_id: sent.call.id, content: result.content };
    const facts: Fact[] = [["tool.returned", { ...returned, is_error: result.isError }]];
    appendEvents(kernel.sql, claim.id, claim.seq, facts, nowMs);
  });
  claim.seq += 1;
  kernel.feed.changed(claim.id);
  return result;
}

/** R2, R4: what the journal knows of this call, or undefined when it is new. */
function journaled(
  kernel: Kernel,
  claim: LlmClaim,
  key: string,
  call: ToolCall,
): SentCall | undefined {
  const row = findStep(kernel.sql, claim.id, key);
  if (!row) return undefined;
  if (row.input_hash !== kernel.sha256(`${call.name}\n${call.arguments}`)) {
    throw new RunFailure(
      { code: "journal_mismatch", detail: `step ${key} calls otherwise than the journal says` },
      false,
    );
  }
  const parsed = parseArguments(call.arguments);
  const tool = parsed.ok ? claim.installed.tool(call.name) : undefined;
  const args = parsed.ok ? parsed.value : undefined;
  const output = outputOf(kernel.sql, row);
  if (output && "result" in output) return { key, call, tool, args, result: output.result };
  const refused = refusal(call, parsed.ok, tool);
  if (refused || tool?.idempotent || row.state === "planned") return { key, call, tool, args, result: refused };
  throw unknownOutcome(kernel, claim, key, call.name);
}

function unknownOutcome(kernel: Kernel, claim: LlmClaim, key: string, name: string): RunFailure {
  const failure = {
    code: "effect_unknown" as const,
    detail: `whether tool ${name} took effect is unknown`,
  };
  const fact: Fact = ["step.finished", { key, state: "unknown", ...failure }];
  return new RunFailure(failure, false, [fact], () =>
    finishStep(kernel.sql, claim.id, key, "unknown", { failure }, NO_COST, kernel.now()),
  );
}

function refusal(call: ToolCall, parsed: boolean, tool: Tool | undefined): ToolResult | undefined {
  if (!parsed) return { content: "The arguments are not a JSON object.", isError: true };
  if (!tool) return { content: `There is no tool named ${call.name}.`, isError: true };
  return undefined;
}

type Parsed = { readonly ok: true; readonly value: unknown } | { readonly ok: false };

/** Arguments come from a model: hostile until parsed. Only an object is a set of arguments. */
function parseArguments(text: string): Parsed {
  try {
    const value: unknown = JSON.parse(text === "" ? "{}" : text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return { ok: true, value };
    }
  } catch {
    // Falls through: the model is told.
  }
  return { ok: false };
}
