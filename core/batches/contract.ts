import { z } from "zod";
import { InvokeBody } from "../invocations/contract.ts";
import { IdOrSlug } from "../names.ts";
import { PageQuery } from "../page.ts";

/** Most inputs of one batch. */
export const MAX_INPUTS = 10_000;

/** One input: what `POST /a/{agent}/invoke` takes, and a name of the caller's own for it. */
export const BatchInput = z
  .strictObject({ ...InvokeBody.shape, id: z.string().min(1).max(200).optional() })
  .refine(({ input }) => typeof input === "string" || input.at(-1)?.role === "user", {
    path: ["input"],
    error: "the last message must be the user's",
  });
export type BatchInput = z.infer<typeof BatchInput>;

const Environment = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/);

/** Body of `POST /v1/batches`; as JSON lines, each line is an input and the rest stands in the query. */
export const CreateBatch = z.strictObject({
  agent: IdOrSlug.optional(),
  environment: Environment.optional(),
  inputs: z.array(BatchInput).min(1).max(MAX_INPUTS),
});
export type CreateBatch = z.infer<typeof CreateBatch>;

export const CreateBatchQuery = z.strictObject({
  agent: IdOrSlug.optional(),
  environment: Environment.optional(),
});

export const BatchStatus = z.enum(["running", "cancelling", "completed", "cancelled"]);
export type BatchStatus = z.infer<typeof BatchStatus>;

/** How many inputs are where; together they are `total`. */
export const BatchCounts = z.object({
  /** Not taken by the agent yet. */
  waiting: z.number().int(),
  /** Accepted, and not known to have ended. */
  open: z.number().int(),
  succeeded: z.number().int(),
  /** `failed` and `dead`. */
  failed: z.number().int(),
  /** Those included that were never handed over. */
  cancelled: z.number().int(),
  /** Never accepted, for a reason of their own. */
  refused: z.number().int(),
});
export type BatchCounts = z.infer<typeof BatchCounts>;

/** Something the producer should know before it counts on the batch. */
export const BatchNotice = z.object({ code: z.string(), detail: z.string() });
export type BatchNotice = z.infer<typeof BatchNotice>;

export const Batch = z.object({
  id: z.string(),
  agent_id: z.string(),
  environment: z.string(),
  status: BatchStatus,
  total: z.number().int(),
  counts: BatchCounts,
  /** Inputs that came to an end, of whatever kind. */
  done: z.number().int(),
  /** When it would be done at the pace so far; null before anything is, and after all is. */
  eta: z.string().nullable(),
  /** Why it was ended before its end. */
  error: z.object({ code: z.string(), detail: z.string() }).nullable(),
  /** What will slow it down. Nothing is dropped for it. */
  notices: z.array(BatchNotice),
  /** The batch whose failures these inputs are. */
  redriven_from: z.string().nullable(),
  created_by: z.string(),
  created_at: z.string(),
  completed_at: z.string().nullable(),
});
export type Batch = z.infer<typeof Batch>;

export const BatchListQuery = PageQuery.extend({
  agent: IdOrSlug.optional(),
  status: BatchStatus.optional(),
});
export type BatchListQuery = z.infer<typeof BatchListQuery>;

/** What became of an input, as far as its handing over goes: an invocation, a refusal, or nothing yet. */
export const Outcome = z.union([
  z.string(),
  z.object({ code: z.string(), detail: z.string() }),
  z.null(),
]);
export type Outcome = z.infer<typeof Outcome>;

/** One line of the results. */
export const BatchResult = z.object({
  /** Place among the inputs, from 0. */
  item: z.number().int(),
  /** The caller's own name for it. */
  id: z.string().nullable(),
  /** An invocation's status, or `waiting`, `refused`, `cancelled` for one that has none. */
  status: z.string(),
  invocation_id: z.string().nullable(),
  output: z.unknown(),
  error: z.object({ code: z.string(), detail: z.string() }).nullable(),
  cost_micros: z.number().int(),
});
export type BatchResult = z.infer<typeof BatchResult>;

export const BatchResultsQuery = z.strictObject({
  /** Only lines of this status. */
  status: z
    .enum(["waiting", "refused", "accepted", "running", "succeeded", "failed", "cancelled", "dead"])
    .optional(),
});
