import { z } from "zod";
import { ApprovalRule } from "../approvals/contract.ts";
import { BreakerPolicy, ToolRetry, type RetryableError } from "../runs/contract.ts";
import { SecretRef } from "../secrets/contract.ts";

/** Name of a tool as models see it. */
const ToolName = z.string().regex(/^[a-zA-Z][a-zA-Z0-9_-]{0,63}$/);

/** A JSON Schema document (2020-12 subset); `$ref` to elsewhere is refused at publish. */
export const JsonSchema = z.record(z.string(), z.json());
export type JsonSchema = z.infer<typeof JsonSchema>;

/** Tells the time in an IANA zone. The answer is journaled, so a replay sees the same time. */
export const ClockTool = z.strictObject({
  kind: z.literal("clock"),
  name: ToolName.default("clock"),
  description: z.string().max(1000).default("Current date and time."),
});

/**
 * One HTTP request. `{name}` in `url` is replaced by the argument of that name, percent-encoded;
 * the arguments that are left go to the query (GET, DELETE) or to a JSON body.
 */
export const HttpTool = z.strictObject({
  kind: z.literal("http"),
  name: ToolName,
  description: z.string().min(1).max(1000),
  method: z.enum(["GET", "POST", "PUT", "PATCH", "DELETE"]).default("GET"),
  url: z.string().min(1).max(2000),
  /** What opens something is named, not written: `{"secret": "CRM_TOKEN", "prefix": "Bearer "}`. */
  headers: z
    .record(z.string().regex(/^[A-Za-z0-9-]{1,64}$/), z.union([z.string().max(2000), SecretRef]))
    .default({}),
  input_schema: JsonSchema.default({ type: "object", properties: {} }),
  /** Sent again after a crash with the same `Idempotency-Key`; otherwise its outcome is `unknown`. */
  idempotent: z.boolean().default(false),
  timeout_ms: z.number().int().min(100).max(30_000).default(15_000),
  /** People decide before a call of it is sent. */
  approval: ApprovalRule.optional(),
  /**
   * How to ask the far side whether a call took effect: a GET with the tool's own headers, in whose
   * URL `{idempotency_key}` is replaced. 404 and 410: it did not. 2xx but 202: it did, and this is
   * its result.
   */
  lookup: z.strictObject({ url: z.string().min(1).max(2000) }).optional(),
  /** Tried again when the far side cannot answer now; the call must be repeatable. */
  retry: ToolRetry.optional(),
  /** Its calls stop for a while when it keeps failing, and runs wait for it. Absent: never. */
  breaker: BreakerPolicy.optional(),
  /** Another tool of the spec, called once for each call that took effect when the run fails. */
  compensate_with: ToolName.optional(),
  /** What becomes of a run that cannot know whether a call took effect. Absent: people are asked. */
  on_unknown: z.enum(["ask", "fail"]).optional(),
  /** False: models are not told of it and cannot call it; it only compensates. */
  offered: z.boolean().optional(),
  /** What one call of it costs, in micro-USD: reserved before, and charged for what it answered. */
  price_micros: z.number().int().min(0).max(1_000_000_000).optional(),
});

/** Lets the run wait, without being held, for a number of seconds or until a time. */
export const SleepTool = z.strictObject({
  kind: z.literal("sleep"),
  name: ToolName.default("sleep"),
  description: z.string().max(1000).default("Wait for some seconds, or until a time."),
  /** Longer is an error that the model reads; at most a year. */
  max_s: z
    .number()
    .int()
    .min(1)
    .max(366 * 86_400)
    .default(30 * 86_400),
});

/** Lets the run wait until somebody outside answers; what they say is what the model reads. */
export const CallbackTool = z.strictObject({
  kind: z.literal("callback"),
  name: ToolName,
  description: z.string().min(1).max(1000),
  input_schema: JsonSchema.default({ type: "object", properties: {} }),
  timeout_s: z
    .number()
    .int()
    .min(1)
    .max(90 * 86_400)
    .default(86_400),
  /** When nobody answers: the model reads that, or the run fails. */
  on_timeout: z.enum(["answer", "fail"]).default("answer"),
});

export const ToolSpec = z.discriminatedUnion("kind", [
  ClockTool,
  HttpTool,
  SleepTool,
  CallbackTool,
]);
export type ToolSpec = z.infer<typeof ToolSpec>;

/** What a model is told of a tool. */
export type ToolOffer = {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: JsonSchema;
};

/** What a tool gave back: `content` is what the model reads (JSON or text, ≤ 1 MiB). */
export type ToolResult = { readonly content: string; readonly isError: boolean };

/** What the far side said. `temporary`: that it could not now, not that it will not. */
export type ToolAnswer = ToolResult & {
  readonly temporary?: { readonly kind: RetryableError; readonly retryAfterMs?: number };
};

/** What a look-up came to. */
export type LookedUp =
  | { readonly happened: true; readonly result: ToolResult }
  | { readonly happened: false };

export type ToolContext = { readonly idempotencyKey: string; readonly signal: AbortSignal };

/** How a tool's calls are treated, as its spec says. */
export type ToolRules = {
  readonly retry?: ToolRetry | undefined;
  /** Absent: nothing stops its calls. */
  readonly breaker?: { readonly name: string; readonly policy: BreakerPolicy } | undefined;
  readonly compensateWith?: string | undefined;
  readonly onUnknown?: "ask" | "fail" | undefined;
  readonly offered?: boolean | undefined;
  /** Of one call; absent for one that costs nothing. */
  readonly priceMicros?: number | undefined;
};

export type SleepWait = {
  readonly kind: "sleep";
  /** Epoch ms; absent: `forMs` from when it was called. */
  readonly untilMs?: number;
  readonly forMs?: number;
  /** Longest it may be, from when it was called. */
  readonly maxMs: number;
};
export type CallbackWait = {
  readonly kind: "callback";
  readonly timeoutMs: number;
  readonly onTimeout: "answer" | "fail";
};

/**
 * One tool, ready to be called.
 *
 * `call` resolves for every answer of the far side, errors of the tool included (`isError`).
 * It rejects with a `ToolFailure` only when no answer was had; `sent` then says whether the
 * request may have reached the far side.
 */
export type Tool = {
  readonly offer: ToolOffer;
  /** May be called again with the same key after a crash (R4). */
  readonly idempotent: boolean;
  /** People who are asked before a call of it is sent. */
  readonly approval?: ApprovalRule | undefined;
  /** It does nothing but wait: for what, or what is wrong with the arguments. Then nobody calls it. */
  readonly wait?: (args: unknown) => SleepWait | CallbackWait | ToolResult;
  readonly rules?: ToolRules;
  call(args: unknown, context: ToolContext): Promise<ToolAnswer>;
  /** Did a call under this key take effect? Rejects with a `ToolFailure` when that was not said. */
  readonly lookup?: (args: unknown, context: ToolContext) => Promise<LookedUp>;
};

export class ToolFailure extends Error {
  override readonly name = "ToolFailure";
  readonly sent: boolean;
  /** What trying again may mend; absent when nothing of the far side's was at fault. */
  readonly kind: RetryableError | undefined;
  constructor(message: string, sent: boolean, kind?: RetryableError) {
    super(message);
    this.sent = sent;
    this.kind = kind;
  }
}
