import { z } from "zod";
import { Description, Name, Slug } from "../names.ts";
import { AgentSpec } from "./spec.ts";

export const Agent = z.object({
  id: z.string(),
  slug: z.string(),
  name: z.string(),
  description: z.string(),
  revision: z.number().int(),
  created_at: z.string(),
  updated_at: z.string(),
  /** Number of the newest version, null before the first publishing. */
  latest_version: z.number().int().nullable(),
  /** Environment → number of the version that is live there. */
  live: z.record(z.string(), z.number().int()),
});
export type Agent = z.infer<typeof Agent>;

/** Body of `POST /v1/agents`. Without a spec the draft is an empty `local/extract` agent. */
export const CreateAgent = z.strictObject({
  slug: Slug,
  name: Name,
  description: Description.default(""),
  spec: AgentSpec.optional(),
});
export type CreateAgent = z.infer<typeof CreateAgent>;

/** Body of `PATCH /v1/agents/{id}`: at least one field. */
export const AgentPatch = z
  .strictObject({
    slug: Slug.optional(),
    name: Name.optional(),
    description: Description.optional(),
  })
  .refine((patch) => Object.keys(patch).length > 0, "nothing to change");
export type AgentPatch = z.infer<typeof AgentPatch>;

/** The mutable spec; `revision` is the draft's own, for `If-Match`. */
export const Draft = z.object({
  agent_id: z.string(),
  revision: z.number().int(),
  updated_at: z.string(),
  spec: AgentSpec,
});
export type Draft = z.infer<typeof Draft>;
