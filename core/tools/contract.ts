import { z } from "zod";
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
});

export const ToolSpec = z.discriminatedUnion("kind", [ClockTool, HttpTool]);
export type ToolSpec = z.infer<typeof ToolSpec>;

/** What a model is told of a tool. */
export type ToolOffer = {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: JsonSchema;
};

/** What a tool gave back: `content` is what the model reads (JSON or text, ≤ 1 MiB). */
export type ToolResult = { readonly content: string; readonly isError: boolean };

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
  call(
    args: unknown,
    context: { readonly idempotencyKey: string; readonly signal: AbortSignal },
  ): Promise<ToolResult>;
};

export class ToolFailure extends Error {
  override readonly name = "ToolFailure";
  readonly sent: boolean;
  constructor(message: string, sent: boolean) {
    super(message);
    this.sent = sent;
  }
}
