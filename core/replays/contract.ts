import { z } from "zod";
import { ModelRef } from "../agents/spec.ts";
import { InvokeBody, Output } from "../invocations/contract.ts";

/** Key of a step, as `GET /v1/invocations/{id}/steps` says it. */
const StepKey = z
  .string()
  .max(80)
  .regex(/^[a-z]+\.[0-9]{1,4}#[0-9]{1,4}$/, "expected the key of a step");

const VersionNumber = z.number().int().min(1).max(1_000_000_000);

/** What a tool is taken to have answered, in place of what the journal says. */
const ToolResultGiven = z.strictObject({
  step: StepKey,
  content: z.string().max(1_000_000),
  is_error: z.boolean().default(false),
});
export type ToolResultGiven = z.infer<typeof ToolResultGiven>;

/** Body of `POST /v1/invocations/{id}/replay`. */
export const ReplayBody = z.strictObject({
  /** Execute this version of the agent over the journal, not the one it was made under. */
  version: VersionNumber.optional(),
});
export type ReplayBody = z.infer<typeof ReplayBody>;

/** Where a re-execution parted from the journal. */
export const Divergence = z.object({
  /** The step at which it was noticed; null for what is no step's. */
  step: z.string().nullable(),
  detail: z.string(),
  /** The step whose stored content is not what the invocation's output says it was, when one is known. */
  suspect: z.string().nullable(),
});
export type Divergence = z.infer<typeof Divergence>;

/** What came of executing an invocation again over its journal alone. */
export const Replay = z.object({
  invocation_id: z.string(),
  /** The version that was executed. */
  version: z.number().int(),
  /** `equal`: every request, and the outcome byte for byte. */
  verdict: z.enum(["equal", "diverged"]),
  error: z.object({ code: z.literal("journal_mismatch"), detail: z.string() }).nullable(),
  divergence: Divergence.nullable(),
  /** Steps whose request was built again and compared, in order. */
  steps: z.array(z.object({ key: z.string(), kind: z.string(), name: z.string() })),
  /** What the re-execution gave; null when it ended before. */
  output: Output.nullable(),
  /** SHA-256 (base64url) of the output as stored and as made again; null where there is none. */
  recorded_hash: z.string().nullable(),
  replayed_hash: z.string().nullable(),
});
export type Replay = z.infer<typeof Replay>;

/** Body of `POST /v1/invocations/{id}/fork`. What is left out is as it was. */
export const ForkBody = z.strictObject({
  /** The first step that is made anew: its key, or its place in the list of steps from 0. */
  step: z.union([StepKey, z.number().int().min(0).max(10_000)]).optional(),
  input: InvokeBody.shape.input.optional(),
  model: ModelRef.optional(),
  instructions: z.string().max(200_000).optional(),
  version: VersionNumber.optional(),
  tool_results: z.array(ToolResultGiven).min(1).max(64).optional(),
  metadata: InvokeBody.shape.metadata,
  max_cost_micros: InvokeBody.shape.max_cost_micros,
});
export type ForkBody = z.infer<typeof ForkBody>;

/** Body of `POST /v1/invocations/{id}/resume`, and of a dead letter's re-drive. */
export const ResumeBody = z.strictObject({
  /** Go on under this version; the one that is live, unless said. */
  version: VersionNumber.optional(),
  /** Leave the finished steps and begin anew. */
  fresh: z.boolean().default(false),
  /** For tools whose outcome is unknown: what somebody found out. */
  tool_results: z.array(ToolResultGiven).min(1).max(64).optional(),
});
export type ResumeBody = z.infer<typeof ResumeBody>;

const Money = { cost_micros: z.number().int(), cost_usd: z.string() };

/** One effect of an invocation, as its receipt has it: hashes, no content. */
export const ReceiptEffect = z.object({
  key: z.string(),
  kind: z.string(),
  name: z.string(),
  state: z.string(),
  /** Of this invocation; 0 for a step that was taken over and paid for elsewhere. */
  attempt: z.number().int(),
  input_hash: z.string(),
  output_hash: z.string().nullable(),
  input_tokens: z.number().int(),
  output_tokens: z.number().int(),
  estimated: z.boolean(),
  ...Money,
  finished_at: z.string().nullable(),
});
export type ReceiptEffect = z.infer<typeof ReceiptEffect>;

/** What people were asked about a step, and who decided; what exactly, as its digest. */
const ReceiptApproval = z.object({
  id: z.string(),
  step: z.string(),
  kind: z.string(),
  name: z.string(),
  status: z.string(),
  digest: z.string(),
  decided_by: z.array(z.object({ by: z.string(), verdict: z.string(), at: z.string() })),
  decided_at: z.string().nullable(),
});

/** What an invocation was, did and cost: to be kept, and checked against the ledger. */
export const Receipt = z.object({
  invocation_id: z.string(),
  agent_id: z.string(),
  agent: z.string(),
  environment: z.string(),
  version: z.number().int(),
  version_id: z.string().nullable(),
  /** Hash of the version's spec; null when the version is gone. */
  spec_hash: z.string().nullable(),
  /** Present when the run went by another spec than the version's. */
  changes: z.object({ model: z.string().nullable(), instructions_hash: z.string().nullable() }),
  status: z.string(),
  error: z.object({ code: z.string(), detail: z.string() }).nullable(),
  /** Id of whoever asked. */
  principal: z.string(),
  session_id: z.string(),
  request_id: z.string(),
  attempts: z.number().int(),
  created_at: z.string(),
  completed_at: z.string().nullable(),
  models: z.array(
    z.object({
      model: z.string(),
      calls: z.number().int(),
      input_tokens: z.number().int(),
      output_tokens: z.number().int(),
      ...Money,
    }),
  ),
  tools: z.array(z.object({ tool: z.string(), calls: z.number().int(), ...Money })),
  effects: z.array(ReceiptEffect),
  approvals: z.array(ReceiptApproval),
  input_tokens: z.number().int(),
  output_tokens: z.number().int(),
  ...Money,
  /** Invocations whose ends led to it, as on the invocation. */
  lineage: z.array(z.string()),
  /** Those it was forked from or goes on with, nearest first. */
  descent: z.array(z.string()),
  redriven_from: z.string().nullable(),
  forked_from: z.string().nullable(),
  input_hash: z.string(),
  output_hash: z.string().nullable(),
  /** SHA-256 (base64url) over the effects in order, the input's hash and the output's. */
  journal_hash: z.string(),
  /** Has the control plane's ledger taken it over? */
  ledgered: z.boolean(),
});
export type Receipt = z.infer<typeof Receipt>;

/** One of the two runs. */
const DiffSide = z.object({
  id: z.string(),
  agent: z.string(),
  environment: z.string(),
  version: z.number().int(),
  status: z.string(),
  input_tokens: z.number().int(),
  output_tokens: z.number().int(),
  ...Money,
  created_at: z.string(),
  completed_at: z.string().nullable(),
});

/** A text in both, cut at 4,000 characters; null where a run has none. */
const DiffText = z.object({
  same: z.boolean(),
  from: z.string().nullable(),
  to: z.string().nullable(),
});
export type DiffText = z.infer<typeof DiffText>;

export const DiffStep = z.object({
  key: z.string(),
  kind: z.string(),
  change: z.enum(["same", "changed", "added", "removed"]),
  /** What of it is another: `name`, `state`, `input`, `output`. */
  differs: z.array(z.enum(["name", "state", "input", "output"])),
  name: DiffText,
  state: DiffText,
  input: DiffText,
  output: DiffText,
  cost_micros: z.object({ from: z.number().int().nullable(), to: z.number().int().nullable() }),
});
export type DiffStep = z.infer<typeof DiffStep>;

/** Two runs side by side. */
export const Diff = z.object({
  from: DiffSide,
  to: DiffSide,
  /** Same input, steps, output and error. */
  same: z.boolean(),
  /** The first step that is not the same in both. */
  first_difference: z.string().nullable(),
  input: DiffText,
  output: DiffText,
  error: DiffText,
  steps: z.array(DiffStep),
  /** `to` less `from`. */
  cost_micros_change: z.number().int(),
  input_tokens_change: z.number().int(),
  output_tokens_change: z.number().int(),
});
export type Diff = z.infer<typeof Diff>;

export const DiffQuery = z.strictObject({ to: z.string().min(1).max(80) });
