import { z } from "zod";
import { Description, IdOrSlug, Name, Slug } from "../names.ts";
import { PageQuery } from "../page.ts";
import { OpenBreaker } from "../runs/contract.ts";
import { UpstreamHealth } from "../upstreams/contract.ts";
import { AgentSpec } from "./spec.ts";

/** A label of an agent; lower case, and nothing that a pattern could mean. */
export const Tag = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[a-z0-9](?:[a-z0-9.:-]*[a-z0-9])?$/, "expected a-z, 0-9 and inner - . :");

/** Each once, sorted. */
const Tags = z
  .array(Tag)
  .max(20)
  .transform((tags) => [...new Set(tags)].toSorted());

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
  project_id: z.string(),
  tags: z.array(z.string()),
  /** The principal that made it; null for agents older than owners. */
  owner_id: z.string().nullable(),
  /** Since when it is paused: what comes is accepted and kept. Null while it runs. */
  paused_at: z.string().nullable(),
});
export type Agent = z.infer<typeof Agent>;

/** Body of `POST /v1/agents`. Without a spec the draft is an empty `local/extract` agent. */
export const CreateAgent = z.strictObject({
  slug: Slug,
  name: Name,
  description: Description.default(""),
  spec: AgentSpec.optional(),
  /** The default project unless said. */
  project: IdOrSlug.optional(),
  tags: Tags.optional(),
});
export type CreateAgent = z.infer<typeof CreateAgent>;

/** Body of `PATCH /v1/agents/{id}`: at least one field. */
export const AgentPatch = z
  .strictObject({
    slug: Slug.optional(),
    name: Name.optional(),
    description: Description.optional(),
    project: IdOrSlug.optional(),
    tags: Tags.optional(),
  })
  .refine((patch) => Object.keys(patch).length > 0, "nothing to change");
export type AgentPatch = z.infer<typeof AgentPatch>;

export const AgentListQuery = PageQuery.extend({
  project: IdOrSlug.optional(),
  tag: Tag.optional(),
});
export type AgentListQuery = z.infer<typeof AgentListQuery>;

/** One of an agent's objects, and how it and its upstream are doing. */
export const AgentCondition = z.object({
  environment: z.string(),
  replica: z.number().int(),
  paused: z.boolean(),
  /** Invocations that are open: those that run, wait, or are kept. */
  open: z.number().int(),
  /** Null for an agent that has none. */
  upstream: UpstreamHealth.nullable(),
  /** Those that are open; what is not among them is asked as usual. */
  breakers: z.array(OpenBreaker),
});
export type AgentCondition = z.infer<typeof AgentCondition>;

/** What access to an agent, and to what it did, is decided on beside its id. */
export type AgentFacts = {
  readonly projectId: string;
  readonly tags: readonly string[];
  readonly ownerId: string | null;
};

/** The mutable spec; `revision` is the draft's own, for `If-Match`. */
export const Draft = z.object({
  agent_id: z.string(),
  revision: z.number().int(),
  updated_at: z.string(),
  spec: AgentSpec,
});
export type Draft = z.infer<typeof Draft>;
