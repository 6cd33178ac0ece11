/** App clients: machines that get tokens for a secret (OAuth 2.0 client credentials). */
import { z } from "zod";
import { Name } from "../names.ts";
import { SCOPES } from "../principals/contract.ts";

const ClientScopes = z
  .array(z.enum(SCOPES))
  .max(SCOPES.length)
  .refine((scopes) => new Set(scopes).size === scopes.length, "no scope twice");

const TokenLifetime = z.number().int().min(60).max(3600);

/** `id` is the `client_id` of OAuth. Roles come beside `scopes`, by assignments. */
export const Client = z.object({
  id: z.string(),
  name: z.string(),
  scopes: z.array(z.enum(SCOPES)),
  token_lifetime_seconds: z.number().int(),
  enabled: z.boolean(),
  revision: z.number().int(),
  created_at: z.string(),
  updated_at: z.string(),
});
export type Client = z.infer<typeof Client>;

/** Body of `POST /v1/clients`. */
export const CreateClient = z.strictObject({
  name: Name,
  scopes: ClientScopes.default([]),
  token_lifetime_seconds: TokenLifetime.default(3600),
});
export type CreateClient = z.infer<typeof CreateClient>;

/** Body of `PATCH /v1/clients/{id}`. */
export const ClientPatch = z
  .strictObject({
    name: Name,
    scopes: ClientScopes,
    token_lifetime_seconds: TokenLifetime,
    enabled: z.boolean(),
  })
  .partial()
  .refine((patch) => Object.keys(patch).length > 0, "nothing to change");
export type ClientPatch = z.infer<typeof ClientPatch>;

/** A client and its first secret: the whole secret, once; null when its creation is replayed. */
export const IssuedClient = Client.extend({ secret: z.string().nullable() });
export type IssuedClient = z.infer<typeof IssuedClient>;

export const ClientSecret = z.object({
  id: z.string(),
  /** The first part of the secret as its holder has it, for telling secrets apart. */
  start: z.string(),
  /** `expiring`: replaced, and good until `expires_at`. */
  status: z.enum(["active", "expiring", "expired", "revoked"]),
  created_at: z.string(),
  expires_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
});
export type ClientSecret = z.infer<typeof ClientSecret>;

export const ClientSecrets = z.object({ data: z.array(ClientSecret) });
export type ClientSecrets = { readonly data: readonly ClientSecret[] };

export const IssuedClientSecret = ClientSecret.extend({ secret: z.string().nullable() });
export type IssuedClientSecret = z.infer<typeof IssuedClientSecret>;

/** Body of `POST /v1/clients/{id}/rotate`: how long what is replaced goes on working, a day unless said. */
export const RotateClient = z.strictObject({
  grace_seconds: z.number().int().min(0).max(2_592_000).default(86_400),
});
export type RotateClient = z.infer<typeof RotateClient>;

/** Secrets of one client that work at the same time, at most; those in a rotation's grace aside. */
export const LIVE_SECRETS_MAX = 2;
/** With those in their grace: who rotates faster ends one first, or all of them. */
export const SECRETS_IN_GRACE_MAX = 5;
