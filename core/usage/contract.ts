import { z } from "zod";
import { IdOrSlug } from "../names.ts";
import { PageQuery } from "../page.ts";
import type { Invocation } from "../invocations/contract.ts";

/** One model call as owed, as an object reports it. */
export type UsageEntry = {
  /** The invocation's id and the step's key. */
  readonly id: string;
  readonly step: string;
  readonly model: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly estimated: boolean;
  readonly costMicros: number;
  readonly atMs: number;
};

/** One finished invocation and its calls. Ids make it idempotent: it may come any number of times. */
export type LedgerEntry = {
  readonly invocation: Omit<
    Invocation,
    "input" | "output" | "metadata" | "lineage" | "forked_from"
  >;
  readonly agentId: string;
  readonly principal: string;
  readonly projectId?: string | undefined;
  /** Whom it was made for. */
  readonly userId?: string;
  readonly usage: readonly UsageEntry[];
  /** The batch it was an input of. */
  readonly batchId?: string | undefined;
};

export const UsageRecordWire = z.object({
  invocation_id: z.string(),
  step: z.string(),
  agent_id: z.string(),
  environment: z.string(),
  project_id: z.string().nullable(),
  /** Under which credential, and for whom. */
  principal: z.string(),
  user_id: z.string().nullable(),
  model: z.string(),
  input_tokens: z.number().int(),
  output_tokens: z.number().int(),
  estimated: z.boolean(),
  cost_micros: z.number().int(),
  cost_usd: z.string(),
  at: z.string(),
});
export type UsageRecordWire = z.infer<typeof UsageRecordWire>;

const Filter = {
  agent: IdOrSlug.optional(),
  invocation: z.string().max(80).optional(),
  /** First and last UTC day, both included. */
  since: z.iso.date().optional(),
  until: z.iso.date().optional(),
};

export const UsageListQuery = PageQuery.extend(Filter);
export type UsageListQuery = z.infer<typeof UsageListQuery>;

export const UsageTotalsQuery = z.strictObject({
  agent: Filter.agent,
  since: Filter.since,
  until: Filter.until,
  by: z.enum(["day", "agent", "model", "key", "project", "user"]).default("day"),
});
export type UsageTotalsQuery = z.infer<typeof UsageTotalsQuery>;

export const UsageTotal = z.object({
  /** The day, the model, or the id of what it is by; empty where that was not kept. */
  key: z.string(),
  invocations: z.number().int(),
  model_calls: z.number().int(),
  input_tokens: z.number().int(),
  output_tokens: z.number().int(),
  cost_micros: z.number().int(),
  cost_usd: z.string(),
});
export type UsageTotal = z.infer<typeof UsageTotal>;
