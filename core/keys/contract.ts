import { z } from "zod";
import { IdOrSlug, Name, Slug } from "../names.ts";
import { SCOPES } from "../principals/contract.ts";

export const Key = z.object({
  id: z.string(),
  name: z.string(),
  /** The first part of the key as its holder has it, for telling keys apart. */
  start: z.string(),
  scopes: z.array(z.enum(SCOPES)),
  agent_id: z.string().nullable(),
  environment: z.string().nullable(),
  status: z.enum(["active", "revoked"]),
  created_at: z.string(),
  expires_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
});
export type Key = z.infer<typeof Key>;

/** Body of `POST /v1/keys`. */
export const CreateKey = z.strictObject({
  name: Name,
  scopes: z
    .array(z.enum(SCOPES))
    .min(1)
    .max(SCOPES.length)
    .refine((scopes) => new Set(scopes).size === scopes.length, "no scope twice"),
  /** Id or slug of the one agent the key may touch. */
  agent: IdOrSlug.optional(),
  environment: Slug.optional(),
  expires_at: z.iso.datetime().optional(),
});
export type CreateKey = z.infer<typeof CreateKey>;

/** `secret` is the whole key, once; null when its creation is replayed (DECISIONS 16). */
export const IssuedKey = Key.extend({ secret: z.string().nullable() });
export type IssuedKey = z.infer<typeof IssuedKey>;
