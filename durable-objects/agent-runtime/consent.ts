import { needsApproval } from "../../core/approvals/rule.ts";
import type { Tool, ToolResult } from "../../core/tools/contract.ts";
import { gate } from "./approvals.ts";
import { Suspended } from "./failure.ts";
import type { Claim, Kernel } from "./kernel.ts";
import type { Sql } from "./sql.ts";
import { callbackAnswer, sleepOver } from "./waits.ts";

/** A tool's call before it is sent. */
export type Held = { readonly key: string; readonly tool: Tool; readonly args: unknown };

/** Must this call wait for somebody before it is sent? Then its step is `planned`, not `sent`. */
export function isHeld({ tool, args }: Pick<Held, "tool" | "args">): boolean {
  return tool.approval !== undefined && needsApproval(tool.approval, args);
}

/** In the transaction that marked the step `sent`. */
export function hold(sql: Sql, invocationId: string, key: string): void {
  moveStep(sql, invocationId, key, "sent", "planned");
}

/**
 * What a call may go out with, or what came of it without one: a person said no, or it was nothing
 * but a wait that is over. A step that was held is `sent` from here on.
 *
 * @throws Suspended | RunFailure  as ./approvals.ts and ./waits.ts say.
 */
export function cleared(
  kernel: Kernel,
  claim: Claim,
  held: Held,
): { readonly args: unknown; readonly edited: boolean } | { readonly result: ToolResult } {
  const { key, tool, args } = held;
  const waited = waitedFor(kernel, claim, held);
  if (waited) return { result: waited };
  if (!tool.approval || !isHeld(held)) return { args, edited: false };
  const { name } = tool.offer;
  const decision = gate(kernel, claim, {
    stepKey: key,
    kind: "tool",
    name,
    arguments: args,
    rule: tool.approval,
    ...(tool.rules?.priceMicros === undefined ? {} : { costMicros: tool.rules.priceMicros }),
  });
  moveStep(kernel.sql, claim.id, key, "planned", "sent");
  if (decision.verdict === "approved") {
    return { args: decision.arguments, edited: decision.edited };
  }
  const reason = decision.verdict === "rejected" ? decision.reason : "";
  const content = `The call was not approved. ${reason}`.trim();
  return { result: { content, isError: true } };
}

/** The model asked for other arguments than those it went out with: it is told. */
export function noted({ content, isError }: ToolResult, args: unknown): ToolResult {
  return { content: content + noteOf(args), isError };
}

/** What the tool itself said. */
export function unnoted(content: string, args: unknown): string {
  const note = noteOf(args);
  return content.endsWith(note) ? content.slice(0, -note.length) : content;
}

function noteOf(args: unknown): string {
  return `\n\nA person changed the arguments before it was called: ${JSON.stringify(args)}`;
}

/**
 * Why calls made side by side did not all come to a result: what failed, and else what they wait
 * for as one wait, over when the first of them is.
 */
export function foremost(reasons: readonly unknown[]): unknown {
  const waits = reasons.filter((it) => it instanceof Suspended);
  const [first] = waits;
  if (first === undefined || waits.length < reasons.length) {
    return reasons.find((it) => !(it instanceof Suspended));
  }
  if (waits.length === 1) return first;
  const dues = waits.flatMap(({ dueMs }) => (dueMs === undefined ? [] : [dueMs]));
  return new Suspended(
    first.reason,
    dues.length === 0 ? undefined : Math.min(...dues),
    waits.flatMap(({ facts }) => facts),
    () => {
      for (const { record } of waits) record();
    },
    first.told,
  );
}

/** Undefined for a tool that does more than wait. */
function waitedFor(
  kernel: Kernel,
  claim: Claim,
  { key, tool, args }: Held,
): ToolResult | undefined {
  const wait = tool.wait?.(args);
  if (wait === undefined) return undefined;
  if ("content" in wait) return wait;
  if (wait.kind === "callback") return callbackAnswer(kernel, claim, key, wait);
  const step = kernel.sql.one<{ started_ms: number }>(
    "SELECT started_ms FROM step WHERE invocation_id = ? AND key = ?",
    claim.id,
    key,
  );
  return sleepOver(kernel, step?.started_ms ?? kernel.now(), wait);
}

function moveStep(sql: Sql, id: string, key: string, from: string, to: string): void {
  sql.run(
    "UPDATE step SET state = ? WHERE invocation_id = ? AND key = ? AND state = ?",
    to,
    id,
    key,
    from,
  );
}
