import { z } from "zod";
import { PageQuery } from "../page.ts";
import { ProxyRequest, ProxyResponse } from "../upstreams/contract.ts";

/** Closed set; the last four are terminal and never change (DECISIONS 11, 12). */
export const InvocationStatus = z.enum([
  "accepted",
  "running",
  "waiting",
  "succeeded",
  "failed",
  "cancelled",
  "dead",
]);
export type InvocationStatus = z.infer<typeof InvocationStatus>;

/** A message as callers send it. */
export const InputMessage = z.strictObject({
  role: z.enum(["user", "assistant", "system"]),
  content: z.string().min(1),
});

/** Body of `POST /a/{agent}/invoke`. */
export const InvokeBody = z.strictObject({
  input: z.union([z.string().min(1), z.array(InputMessage).min(1).max(1000)]),
  /** A `ses_` id of ours, or the caller's own name for a session (scoped to the principal). */
  session_id: z.string().min(1).max(200).optional(),
  metadata: z
    .record(z.string().max(64), z.string().max(512))
    .refine((value) => Object.keys(value).length <= 16, "at most 16 entries")
    .optional(),
  max_cost_micros: z.number().int().min(0).max(1_000_000_000_000).optional(),
});
export type InvokeBody = z.infer<typeof InvokeBody>;

export const Usage = z.object({
  input_tokens: z.number().int(),
  output_tokens: z.number().int(),
  model_calls: z.number().int(),
  tool_calls: z.number().int(),
  /** True when any call's tokens were estimated because the provider reported none. */
  estimated: z.boolean(),
});
export type Usage = z.infer<typeof Usage>;

export const OutputMessage = z.object({
  role: z.enum(["assistant", "tool"]),
  content: z.string(),
  tool_calls: z
    .array(z.object({ id: z.string(), name: z.string(), arguments: z.string() }))
    .optional(),
  tool_call_id: z.string().optional(),
});
export type OutputMessage = z.infer<typeof OutputMessage>;

export const Output = z.object({
  text: z.string(),
  messages: z.array(OutputMessage),
  /** It was broken off by a later input of its session: this is as far as it came. */
  interrupted: z.literal(true).optional(),
  /** What the answer was made by and rests on. */
  data: z
    .object({
      model: z.string(),
      sources: z.array(z.object({ title: z.string(), quote: z.string() })).optional(),
    })
    .optional(),
  /** What the upstream of an `http` agent answered to a proxied request. */
  response: ProxyResponse.optional(),
});
export type Output = z.infer<typeof Output>;

/** One accepted request, as callers see it. */
export const Invocation = z.object({
  id: z.string(),
  /** The agent's slug. */
  agent: z.string(),
  version: z.number().int(),
  environment: z.string(),
  session_id: z.string(),
  status: InvocationStatus,
  /** As it was sent; a proxied request as it was forwarded. */
  input: z.union([z.string(), z.array(z.unknown()), z.object({ request: ProxyRequest })]),
  output: Output.nullable(),
  /** The problem that ended it (`failed`, `dead`), else null. */
  error: z.object({ code: z.string(), detail: z.string() }).nullable(),
  usage: Usage,
  cost_micros: z.number().int(),
  /** Decimal USD with six places. */
  cost_usd: z.string(),
  lineage: z.array(z.string()),
  /** The terminal invocation this one repeats, or null. */
  redriven_from: z.string().nullable(),
  /** The invocation whose journal this one began from, changed; or null. */
  forked_from: z.string().nullable(),
  attempts: z.number().int(),
  metadata: z.record(z.string(), z.string()),
  created_at: z.string(),
  completed_at: z.string().nullable(),
});
export type Invocation = z.infer<typeof Invocation>;

/** One row of the listing: a projection that may lag and never decides. */
export const InvocationSummary = Invocation.omit({
  input: true,
  output: true,
  lineage: true,
  forked_from: true,
  metadata: true,
});
export type InvocationSummary = z.infer<typeof InvocationSummary>;

export const InvocationListQuery = PageQuery.extend({
  agent: z.string().max(80).optional(),
  status: InvocationStatus.optional(),
  session: z.string().max(80).optional(),
  since: z.iso.datetime().optional(),
});

/** One journaled unit of a run. */
export const Step = z.object({
  /** `<kind>.<path>#<occurrence>`, stable over re-execution. */
  key: z.string(),
  kind: z.enum(["model", "tool", "memory", "upstream", "compensation"]),
  name: z.string(),
  state: z.enum(["planned", "sent", "done", "failed", "unknown"]),
  /** 0: taken over, finished, from the invocation this one goes on from; it cost nothing here. */
  attempt: z.number().int(),
  input: z.unknown(),
  output: z.unknown(),
  input_tokens: z.number().int(),
  output_tokens: z.number().int(),
  cost_micros: z.number().int(),
  started_at: z.string(),
  finished_at: z.string().nullable(),
});
export type Step = z.infer<typeof Step>;

/** Closed set of event names on the stream (docs/vocabulary.md). */
export const EventName = z.enum([
  "invocation.accepted",
  "run.started",
  "step.started",
  "message.delta",
  "tool.called",
  "tool.returned",
  "approval.requested",
  "step.finished",
  "invocation.waiting",
  "run.restarted",
  "message.completed",
  "invocation.succeeded",
  "invocation.failed",
  "invocation.cancelled",
  "invocation.dead",
]);
export type EventName = z.infer<typeof EventName>;

/** One event of an invocation; `seq` starts at 1 and has no gaps within what is kept. */
export type InvocationEvent = {
  readonly seq: number;
  readonly event: EventName;
  readonly data: Readonly<Record<string, unknown>>;
};

/** A status after which nothing changes. */
export function terminal(status: InvocationStatus): boolean {
  return (
    status === "succeeded" || status === "failed" || status === "cancelled" || status === "dead"
  );
}

/** Integer micro-USD as the wire's decimal string: 1250 → "0.001250". */
export function usd(micros: number): string {
  const sign = micros < 0 ? "-" : "";
  const digits = String(Math.abs(micros)).padStart(7, "0");
  return `${sign}${digits.slice(0, -6)}.${digits.slice(-6)}`;
}
