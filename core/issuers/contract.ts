/** Issuers outside whose tokens one tenant accepts. */
import { z } from "zod";
import { ClaimName, ClaimRule, ClaimRules } from "../claim-rules/contract.ts";
import { TokenAlg } from "../config.ts";
import { IdOrSlug, Name } from "../names.ts";

const Url = z.url({ protocol: /^https?$/ }).max(500);
const Audience = z
  .string()
  .max(512)
  .regex(/^[\x21-\x7e]+$/, "printable ASCII without spaces");
const Typ = z.enum(["at+jwt", "JWT"]);
const TenantClaim = ClaimName.nullable();
const TenantValue = z.string().min(1).max(200).nullable();
const MaxLifetime = z.number().int().min(60).max(86_400);
const DefaultRole = IdOrSlug.nullable();
/** HS256 needs 256 bits, and a public key has many readers. @source RFC 7518 §3.2, RFC 8725 §2.1 */
const SharedSecret = z
  .string()
  .min(32, "at least 32 characters")
  .max(1000)
  .regex(/^[\x21-\x7e]+$/, "printable ASCII without spaces");

export const Issuer = z.object({
  id: z.string(),
  name: z.string(),
  /** The `iss` of its tokens, to the letter. */
  issuer: z.string(),
  audience: z.string(),
  alg: TokenAlg,
  typ: Typ,
  jwks_uri: z.string().nullable(),
  has_shared_secret: z.boolean(),
  tenant_claim: z.string().nullable(),
  tenant_value: z.string().nullable(),
  max_lifetime_seconds: z.number().int(),
  mappings: z.array(ClaimRule),
  default_role: z.string().nullable(),
  enabled: z.boolean(),
  revision: z.number().int(),
  created_at: z.string(),
  updated_at: z.string(),
});
export type Issuer = z.infer<typeof Issuer>;

const SETTINGS = {
  name: Name,
  audience: Audience,
  typ: Typ,
  /** Where it is present it must name this tenant: by `tenant_value`, or by id or slug. */
  tenant_claim: TenantClaim,
  tenant_value: TenantValue,
  max_lifetime_seconds: MaxLifetime,
  mappings: ClaimRules,
  /** The role of a person whose claims meet no rule; null for none. */
  default_role: DefaultRole,
  enabled: z.boolean(),
};

const NEW = {
  ...SETTINGS,
  issuer: Url,
  typ: Typ.default("JWT"),
  tenant_claim: TenantClaim.default("workspaceId"),
  tenant_value: TenantValue.default(null),
  max_lifetime_seconds: MaxLifetime.default(3600),
  mappings: ClaimRules.default([]),
  default_role: DefaultRole.default(null),
  enabled: z.boolean().default(true),
};

/** Body of `POST /v1/issuers`: public keys at an address or, said by name, a secret that both know. */
export const CreateIssuer = z.union([
  z.strictObject({ ...NEW, alg: TokenAlg.exclude(["HS256"]), jwks_uri: Url }),
  z.strictObject({ ...NEW, alg: z.literal("HS256"), shared_secret: SharedSecret }),
]);
export type CreateIssuer = z.infer<typeof CreateIssuer>;

/**
 * Body of `PATCH /v1/issuers/{id}`. Issuer and algorithm stay: who needs others needs another
 * issuer.
 */
export const IssuerPatch = z
  .strictObject({ ...SETTINGS, jwks_uri: Url, shared_secret: SharedSecret })
  .partial()
  .refine((patch) => Object.keys(patch).length > 0, "nothing to change");
export type IssuerPatch = z.infer<typeof IssuerPatch>;

/** Seals an issuer's shared secret under additional data `tenantId|issuer|id`. */
export type SealSharedSecret = (issuerId: string, secret: string) => Promise<string>;

/** Most a tenant may register: a token of nobody's is held against all of them. */
export const ISSUERS_MAX = 20;
