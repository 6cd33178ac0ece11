import { z } from "zod";
import { IdOrSlug, Name, Slug } from "../names.ts";
import { PageQuery, wholeNumber } from "../page.ts";
import { SCOPES } from "../principals/contract.ts";
import { canonicalRange } from "./addresses.ts";

const DAY_SECONDS = 86_400;
/** A year: what refills more seldom is set by hand. */
const LONGEST_PERIOD_SECONDS = 366 * DAY_SECONDS;
const MOST_UNITS = 1_000_000;
const MOST_CREDITS = 1_000_000_000;
const LONGEST_GRACE_SECONDS = 90 * DAY_SECONDS;

/** Longer than this is no key; a body that says so costs no more than reading it. */
const LONGEST_KEY = 200;

const distinct = (values: readonly unknown[]) => new Set(values).size === values.length;

const Scopes = z.array(z.enum(SCOPES)).min(1).max(SCOPES.length).refine(distinct, "no scope twice");

/** An origin exactly as a browser sends it: no path, no default port, lower case. */
const Origin = z
  .string()
  .max(300)
  .refine((text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    return url !== undefined && /^https?:$/.test(url.protocol) && url.origin === text;
  }, "an origin like https://app.example.com");

const AddressRange = z
  .string()
  .max(64)
  .transform((text, issues) => {
    const range = canonicalRange(text);
    if (range !== undefined) return range;
    issues.addIssue({ code: "custom", message: "an address, or a range like 192.0.2.0/24" });
    return z.NEVER;
  });

/** Absent or null: any. An empty list would be a key that opens nothing from anywhere. */
const Origins = z.array(Origin).min(1).max(50).refine(distinct, "no origin twice").nullable();
const AddressRanges = z
  .array(AddressRange)
  .min(1)
  .max(50)
  .refine(distinct, "no range twice")
  .nullable();

export const KeyRateLimit = z.strictObject({
  limit: z.number().int().min(1).max(MOST_UNITS),
  period_seconds: z.number().int().min(1).max(LONGEST_PERIOD_SECONDS),
});

const RateLimits = z
  .array(KeyRateLimit)
  .min(1)
  .max(4)
  .refine((limits) => distinct(limits.map((one) => one.period_seconds)), "no period twice")
  .nullable();

const Refill = z.strictObject({
  amount: z.number().int().min(1).max(MOST_CREDITS),
  interval_seconds: z.number().int().min(60).max(LONGEST_PERIOD_SECONDS),
});

const KeyCredits = z.strictObject({
  /** Invocations, or units that `POST /v1/keys/verify` takes. */
  budget: z.number().int().min(0).max(MOST_CREDITS),
  /** Each interval what is left is filled up to `amount`. */
  refill: Refill.nullable().default(null),
});

const KeyMetadata = z
  .record(z.string().max(64), z.string().max(512))
  .refine((value) => Object.keys(value).length <= 16, "at most 16 entries");

export const Key = z.object({
  id: z.string(),
  name: z.string(),
  /** The first part of the key as its holder has it, for telling keys apart. */
  start: z.string(),
  scopes: z.array(z.enum(SCOPES)),
  project_id: z.string().nullable(),
  agent_id: z.string().nullable(),
  environment: z.string().nullable(),
  /** The user whose personal key it is; null for a key of the tenant. */
  owner_id: z.string().nullable(),
  enabled: z.boolean(),
  status: z.enum(["active", "disabled", "revoked"]),
  allowed_origins: z.array(z.string()).nullable(),
  allowed_ips: z.array(z.string()).nullable(),
  rate_limits: z.array(KeyRateLimit).nullable(),
  /** As set; `GET /v1/keys/{id}/usage` says what is left. */
  credits: KeyCredits.nullable(),
  metadata: z.record(z.string(), z.string()),
  rotated_from: z.string().nullable(),
  rotated_to: z.string().nullable(),
  revision: z.number().int(),
  created_by: z.string(),
  created_at: z.string(),
  updated_at: z.string(),
  expires_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
});
export type Key = z.infer<typeof Key>;

/** Body of `POST /v1/keys`. */
export const CreateKey = z.strictObject({
  name: Name,
  scopes: Scopes,
  /** Id or slug of the one project, the one agent the key may touch. */
  project: IdOrSlug.optional(),
  agent: IdOrSlug.optional(),
  environment: Slug.optional(),
  expires_at: z.iso.datetime().optional(),
  enabled: z.boolean().optional(),
  allowed_origins: Origins.optional(),
  allowed_ips: AddressRanges.optional(),
  rate_limits: RateLimits.optional(),
  credits: KeyCredits.nullable().optional(),
  metadata: KeyMetadata.optional(),
});
export type CreateKey = z.infer<typeof CreateKey>;

/** Body of `POST /v1/agents/{id}/tokens`: a key for that agent, which may invoke it unless said. */
export const CreateAgentToken = CreateKey.omit({ project: true, agent: true }).extend({
  scopes: Scopes.default(["agents:invoke"]),
});

/** Body of `PATCH /v1/keys/{id}`; null takes a rule away. `credits` sets what is left anew. */
export const KeyPatch = CreateKey.omit({ project: true, agent: true, environment: true })
  .extend({
    project: IdOrSlug.nullable(),
    agent: IdOrSlug.nullable(),
    environment: Slug.nullable(),
    expires_at: z.iso.datetime().nullable(),
  })
  .partial()
  .refine((patch) => Object.keys(patch).length > 0, "nothing to change");
export type KeyPatch = z.infer<typeof KeyPatch>;

/** Body of `POST /v1/keys/{id}/rotate`. */
export const RotateKey = z.strictObject({
  /** How long the old key goes on; a day unless said, 0 ends it at once. */
  grace_seconds: z.number().int().min(0).max(LONGEST_GRACE_SECONDS).default(DAY_SECONDS),
  /** The new key's end; the old one's unless said, null for none. */
  expires_at: z.iso.datetime().nullable().optional(),
});
export type RotateKey = z.infer<typeof RotateKey>;

/** `secret` is the whole key, once; null when its creation is replayed (DECISIONS 16). */
export const IssuedKey = Key.extend({ secret: z.string().nullable() });
export type IssuedKey = z.infer<typeof IssuedKey>;

/** Query of `GET /v1/keys`. */
export const KeyListQuery = PageQuery.extend({
  status: z.enum(["active", "disabled", "revoked"]).optional(),
  /** Ids, as keys carry them. */
  agent_id: z.string().max(80).optional(),
  project_id: z.string().max(80).optional(),
  owner_id: z.string().max(80).optional(),
  environment: Slug.optional(),
  /** Any part of the name, whatever its case. */
  name: z.string().min(1).max(120).optional(),
});
export type KeyListQuery = z.infer<typeof KeyListQuery>;

/** Body of `POST /v1/keys/verify`. */
export const VerifyKey = z.strictObject({
  key: z.string().min(1).max(LONGEST_KEY),
  /** What the bearer is about to do; what is not named is not asked. */
  scope: z.enum(SCOPES).optional(),
  project: IdOrSlug.optional(),
  agent: IdOrSlug.optional(),
  environment: Slug.optional(),
  /** Where the bearer is, for keys that are held to addresses or origins. */
  address: z.string().max(64).optional(),
  origin: z.string().max(300).optional(),
  /** Credits to take; 0 asks without taking any. The rate limits count one request. */
  cost: z.number().int().min(0).max(MOST_UNITS).default(1),
});
export type VerifyKey = z.infer<typeof VerifyKey>;

/** Why a key is good for something or not, in the words of other key services. */
export const KeyCode = z.enum([
  "VALID",
  "NOT_FOUND",
  "REVOKED",
  "DISABLED",
  "EXPIRED",
  "FORBIDDEN",
  "INSUFFICIENT_PERMISSIONS",
  "RATE_LIMITED",
  "USAGE_EXCEEDED",
]);
export type KeyCode = z.infer<typeof KeyCode>;

/** A key was asked about, or used. Nothing of it is known for NOT_FOUND. */
export const KeyVerdict = z.object({
  valid: z.boolean(),
  code: KeyCode,
  key_id: z.string().nullable(),
  name: z.string().nullable(),
  owner_id: z.string().nullable(),
  scopes: z.array(z.enum(SCOPES)),
  project_id: z.string().nullable(),
  agent_id: z.string().nullable(),
  environment: z.string().nullable(),
  metadata: z.record(z.string(), z.string()),
  expires_at: z.string().nullable(),
  credits: z.object({ remaining: z.number().int(), refills_at: z.string().nullable() }).nullable(),
  rate_limits: z.array(KeyRateLimit.extend({ remaining: z.number().int() })),
  /** Whole milliseconds until RATE_LIMITED or USAGE_EXCEEDED can pass; null when not by waiting. */
  retry_after_ms: z.number().int().nullable(),
});
export type KeyVerdict = z.infer<typeof KeyVerdict>;

/** Query of `GET /v1/keys/{id}/usage`. */
export const KeyUsageQuery = z.strictObject({
  /** Days back, today included. */
  days: wholeNumber({ min: 1, max: 366 }).default(30),
});

/** One UTC day with any use of the key. */
const KeyUsageDay = z.object({
  date: z.string(),
  /** Requests and verifications, refused ones too. */
  requests: z.number().int(),
  outcomes: z.partialRecord(KeyCode, z.number().int()),
  invocations: z.number().int(),
  input_tokens: z.number().int(),
  output_tokens: z.number().int(),
  cost_micros: z.number().int(),
  cost_usd: z.string(),
});
export type KeyUsageDay = z.infer<typeof KeyUsageDay>;

export const KeyUsage = z.object({
  key_id: z.string(),
  /** Within the days asked for. */
  last_used_at: z.string().nullable(),
  credits: z.object({ remaining: z.number().int(), refills_at: z.string().nullable() }).nullable(),
  days: z.array(KeyUsageDay),
});
export type KeyUsage = z.infer<typeof KeyUsage>;
