import { z } from "zod";
import { Slug } from "../names.ts";

/** What a tenant has from the start. */
export const FIRST_ENVIRONMENTS = ["dev", "staging", "prod"] as const;

/** The environment of an address that names none. */
export const DEFAULT_ENVIRONMENT = "prod";

export const Environment = z.object({ slug: Slug, created_at: z.string() });
export type Environment = z.infer<typeof Environment>;
