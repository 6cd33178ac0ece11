/** Single sign-on: a tenant's connections to OpenID providers, and who came through them. */
import { z } from "zod";
import { ClaimName } from "../claim-rules/contract.ts";
import { IdOrSlug, Name, Slug } from "../names.ts";

const AuthMethod = z.enum(["client_secret_basic", "client_secret_post", "none"]);
export type AuthMethod = z.infer<typeof AuthMethod>;

/** A claim that has one of the values makes the person a member with the role; the first met counts. */
const RoleRule = z.strictObject({
  claim: ClaimName,
  values: z.array(z.string().min(1).max(200)).min(1).max(50),
  role: IdOrSlug,
});
export type RoleRule = z.infer<typeof RoleRule>;

const RoleRules = z.array(RoleRule).max(50);
const IssuerUrl = z.url({ protocol: /^https?$/ }).max(500);
const Visible = z.string().regex(/^[\x21-\x7e]+$/, "printable ASCII without spaces");
const ClientId = Visible.max(255);
const ClientSecret = Visible.max(1000);
/** What is asked for beside `openid`. */
const AskedScopes = z
  .array(Visible.max(100))
  .max(20)
  .transform((scopes) => [...new Set(["openid", ...scopes])]);
const Domains = z
  .array(
    z
      .string()
      .max(253)
      .toLowerCase()
      .regex(/^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/, "expected a domain"),
  )
  .max(50);

export const SsoConnection = z.object({
  id: z.string(),
  /** Stands in the addresses of the sign-in; unique in the tenant. */
  slug: z.string(),
  name: z.string(),
  issuer: z.string(),
  client_id: z.string(),
  has_secret: z.boolean(),
  auth_method: AuthMethod,
  scopes: z.array(z.string()),
  create_members: z.boolean(),
  email_domains: z.array(z.string()),
  mappings: z.array(RoleRule),
  default_role: z.string().nullable(),
  enabled: z.boolean(),
  revision: z.number().int(),
  created_at: z.string(),
  updated_at: z.string(),
});
export type SsoConnection = z.infer<typeof SsoConnection>;

/** As it is answered: with the address to register at the provider. */
export const RegisteredSso = SsoConnection.extend({ redirect_uri: z.string() });

const SETTINGS = {
  name: Name,
  client_id: ClientId,
  client_secret: ClientSecret,
  auth_method: AuthMethod,
  scopes: AskedScopes,
  /** Whoever the provider lets in becomes a member; otherwise only who is one already. */
  create_members: z.boolean(),
  /** Domains an e-mail may have; none given: any. */
  email_domains: Domains,
  /** Where there are any, they decide the role at each sign-in. */
  mappings: RoleRules,
  /** The role where no rule is met; null: such a person is not let in. */
  default_role: IdOrSlug.nullable(),
  enabled: z.boolean(),
};

/** Body of `POST /v1/sso`. */
export const CreateSso = z
  .strictObject({
    ...SETTINGS,
    slug: Slug.max(40),
    issuer: IssuerUrl,
    client_secret: ClientSecret.optional(),
    auth_method: AuthMethod.default("client_secret_basic"),
    scopes: AskedScopes.default(["openid", "email", "profile"]),
    create_members: z.boolean().default(false),
    email_domains: Domains.default([]),
    mappings: RoleRules.default([]),
    default_role: IdOrSlug.nullable().default(null),
    enabled: z.boolean().default(true),
  })
  .refine((it) => (it.auth_method === "none") === (it.client_secret === undefined), {
    error: "a secret goes with every auth_method but none",
    path: ["client_secret"],
  });
export type CreateSso = z.infer<typeof CreateSso>;

/** Body of `PATCH /v1/sso/{id}`. The issuer stays: its people are known by what it calls them. */
export const SsoPatch = z
  .strictObject({ ...SETTINGS, auth_method: AuthMethod.exclude(["none"]) })
  .partial()
  .refine((patch) => Object.keys(patch).length > 0, "nothing to change");
export type SsoPatch = z.infer<typeof SsoPatch>;

/** What the sign-in page is told, whoever asks. */
export const SignInChoices = z.object({
  data: z.array(z.object({ slug: z.string(), name: z.string() })),
});
export type SignInChoices = z.infer<typeof SignInChoices>;

/** Most a tenant may have: all of them stand on the sign-in page. */
export const CONNECTIONS_MAX = 10;

/** From leaving for the provider to coming back. */
export const SIGN_IN_MS = 10 * 60_000;

/** Who a provider says somebody is. */
export type Person = {
  readonly subject: string;
  /** Lower case; undefined where the provider names none, or does not vouch for it. */
  readonly verifiedEmail: string | undefined;
  readonly name: string;
};

/** Why somebody was not let in; each is told to the browser. */
export const SSO_REFUSALS = [
  /** The way back fits no way there: used, too old, another browser's, or made up. */
  "expired",
  /** The provider says no, or the person did. */
  "refused",
  "unreachable",
  /** What the provider answers does not hold. */
  "invalid",
  "email_unverified",
  /** Nobody here, and nobody who may join by this connection. */
  "not_member",
  /** No rule gives them a role. */
  "no_role",
] as const;
export type SsoRefusal = (typeof SSO_REFUSALS)[number];

/** Seals a connection's client secret under additional data `tenantId|sso|id`. */
export type SealClientSecret = (connectionId: string, secret: string) => Promise<string>;
