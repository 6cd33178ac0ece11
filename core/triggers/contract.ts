import { z } from "zod";
import { InvocationStatus } from "../invocations/contract.ts";
import { IdOrSlug, Name, Slug } from "../names.ts";
import { PageQuery } from "../page.ts";
import { templateFault } from "./template.ts";

/** Ends that a trigger may wait for. */
const EndStatus = InvocationStatus.extract(["succeeded", "failed", "cancelled", "dead"]);
const Statuses = z.array(EndStatus).min(1).max(4);

/** Invocations that led to one another through triggers, at most; a further one is refused. */
export const DEPTH_MOST = 8;

/** Text with `{{output}}` and the like (./template.ts). */
const Template = z
  .string()
  .min(1)
  .max(20_000)
  .check((context) => {
    const fault = templateFault(context.value);
    if (fault === undefined) return;
    context.issues.push({ code: "custom", message: fault, input: context.value });
  });

const MaxCost = z.number().int().min(0).max(1_000_000_000_000).nullable();

/** Body of `POST /v1/triggers`: when an invocation of `agent` ends so, `target` is asked `input`. */
export const CreateTrigger = z.strictObject({
  name: Name,
  agent: IdOrSlug,
  environment: Slug.default("prod"),
  statuses: Statuses.default(["succeeded"]),
  target: IdOrSlug,
  target_environment: Slug.default("prod"),
  input: Template.default("{{output}}"),
  max_cost_micros: MaxCost.default(null),
  paused: z.boolean().default(false),
});
export type CreateTrigger = z.infer<typeof CreateTrigger>;

/** Body of `PATCH /v1/triggers/{id}`: at least one field. Agents and environments stay. */
export const TriggerPatch = z
  .strictObject({
    name: Name.optional(),
    statuses: Statuses.optional(),
    input: Template.optional(),
    max_cost_micros: MaxCost.optional(),
    paused: z.boolean().optional(),
  })
  .refine((patch) => Object.keys(patch).length > 0, "nothing to change");
export type TriggerPatch = z.infer<typeof TriggerPatch>;

export const Trigger = z.object({
  id: z.string(),
  name: z.string(),
  agent_id: z.string(),
  environment: z.string(),
  statuses: z.array(EndStatus),
  target_id: z.string(),
  target_environment: z.string(),
  input: z.string(),
  max_cost_micros: z.number().int().nullable(),
  paused: z.boolean(),
  /** Id of who made it. */
  created_by: z.string(),
  revision: z.number().int(),
  created_at: z.string(),
  updated_at: z.string(),
});
export type Trigger = z.infer<typeof Trigger>;

export const TriggerListQuery = PageQuery.extend({ agent: IdOrSlug.optional() });
