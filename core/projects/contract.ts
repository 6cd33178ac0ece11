import { z } from "zod";
import { PREFIXES } from "../ids.ts";
import { Description, Name, Slug } from "../names.ts";

/** The project every tenant has, and the one of agents that name none. */
export const DEFAULT_PROJECT = "default";

/**
 * Id of a tenant's default project. It follows from the tenant's own, so that nothing is read to
 * know it, and tenants older than projects have one too.
 */
export function defaultProjectId(tenantId: string): string {
  return `${PREFIXES.project}_${tenantId.slice(PREFIXES.tenant.length + 1)}`;
}

export const Project = z.object({
  id: z.string(),
  slug: z.string(),
  name: z.string(),
  description: z.string(),
  revision: z.number().int(),
  created_at: z.string(),
  updated_at: z.string(),
});
export type Project = z.infer<typeof Project>;

/** Body of `POST /v1/projects`. */
export const CreateProject = z.strictObject({
  slug: Slug,
  name: Name,
  description: Description.default(""),
});
export type CreateProject = z.infer<typeof CreateProject>;

/** Body of `PATCH /v1/projects/{id}`: at least one field. */
export const ProjectPatch = z
  .strictObject({
    slug: Slug.optional(),
    name: Name.optional(),
    description: Description.optional(),
  })
  .refine((patch) => Object.keys(patch).length > 0, "nothing to change");
export type ProjectPatch = z.infer<typeof ProjectPatch>;
