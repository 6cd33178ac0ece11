import type { ModelMessage, ToolCall } from "../../core/models/contract.ts";
import type { Tool, ToolResult } from "../../core/tools/contract.ts";
import { foremost, hold, isHeld } from "./consent.ts";
import { appendEvents, type Fact } from "./events.ts";
import { Again, RunFailure, Suspended } from "./failure.ts";
import { underWay, type Kernel, type LlmClaim } from "./kernel.ts";
import { findStep, markSent, outputOf, toolKey } from "./steps.ts";
import { callTool, type SentCall } from "./tool-call.ts";

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
    const tool = parsed.ok ? offered(claim, call.name) : undefined;
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
    const held = tool && (isHeld({ tool, args }) || tool.rules?.breaker !== undefined);
    if (held) hold(kernel.sql, claim.id, key);
    return { key, call, tool, args, result: refused, doubtful: false };
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
  if (reasons.length > 0) throw soonest(reasons);
  return outcomes.flatMap((outcome, j): ModelMessage[] => {
    const call = calls[j]?.call;
    if (outcome.status === "rejected" || !call) return [];
    return [{ role: "tool", content: outcome.value.content, toolCallId: call.id }];
  });
}

/** What failed, and else the calls that are to be made again, and else what the others wait for. */
function soonest(reasons: readonly unknown[]): unknown {
  const agains = reasons.filter((it) => it instanceof Again);
  const rest = reasons.filter((it) => !(it instanceof Again));
  const failed = rest.some((it) => !(it instanceof Suspended));
  if (failed || agains.length === 0) return foremost(rest);
  const dueMs = Math.max(...agains.map((it) => it.dueMs));
  const facts = agains.flatMap((it) => it.facts);
  return new Again(dueMs, facts, () => {
    for (const { record } of agains) record();
  });
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
  const tool = parsed.ok ? offered(claim, call.name) : undefined;
  const args = parsed.ok ? parsed.value : undefined;
  const output = outputOf(kernel.sql, row);
  const known = output && "result" in output ? output.result : refusal(call, parsed.ok, tool);
  return { key, call, tool, args, result: known, doubtful: row.state !== "planned" };
}

/** Undefined also for one that only compensates: models do not call it. */
function offered({ installed }: LlmClaim, name: string): Tool | undefined {
  const tool = installed.tool(name);
  return tool?.rules?.offered === false ? undefined : tool;
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
