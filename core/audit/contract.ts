import { z } from "zod";
import { wholeNumber, PageQuery } from "../page.ts";

/** One entry of the trail, as it is listed, exported and hashed. */
export const AuditEntry = z.object({
  id: z.string(),
  tenant_id: z.string(),
  at: z.string(),
  /** `noun.verbed`. */
  action: z.string(),
  actor: z.object({ kind: z.string(), id: z.string() }),
  /** Of the client, where the network tells it. */
  address: z.string().nullable(),
  request_id: z.string().nullable(),
  resource: z.object({ kind: z.string(), id: z.string() }),
  result: z.string(),
  /** SHA-256 of the canonical JSON of what the resource was and of what it became. */
  before_digest: z.string().nullable(),
  after_digest: z.string().nullable(),
  /** Small facts; text where what is stored is no canonical JSON, so it was not written by us. */
  detail: z.union([z.record(z.string(), z.unknown()), z.string()]).nullable(),
  /** Place in the tenant's chain, from 1; null while it is not chained. */
  seq: z.number().int().nullable(),
  previous_hash: z.string().nullable(),
  hash: z.string().nullable(),
});
export type AuditEntry = z.infer<typeof AuditEntry>;

const Name = z.string().min(1).max(80);

/** What a list or an export is narrowed to. */
const AuditFilter = z.strictObject({
  action: Name.optional(),
  /** Id of whoever acted. */
  actor: Name.optional(),
  resource_kind: Name.optional(),
  resource_id: z.string().min(1).max(200).optional(),
  result: z.enum(["done", "refused"]).optional(),
  since: z.iso.datetime().optional(),
  /** Exclusive. */
  until: z.iso.datetime().optional(),
});
export type AuditFilter = z.infer<typeof AuditFilter>;

export const AuditQuery = PageQuery.extend(AuditFilter.shape);
export type AuditQuery = z.infer<typeof AuditQuery>;

export const EXPORT_FORMATS = ["ndjson", "csv", "json"] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export const AuditExportQuery = AuditFilter.extend({
  format: z.enum(EXPORT_FORMATS).default("ndjson"),
});

/** A place in a chain and what the chain is up to there. */
export type Mark = { readonly seq: number; readonly hash: string };

/** A mark under our signature; kept outside, it proves later what the chain was. */
export const Checkpoint = z.object({
  seq: z.number().int(),
  hash: z.string(),
  at: z.string(),
  /** The key that signed, as `/.well-known/jwks.json` names it. */
  kid: z.string(),
  /** Compact JWS over `{tenant_id, seq, hash, at}`. */
  signature: z.string(),
});
export type Checkpoint = z.infer<typeof Checkpoint>;

export const VerifyQuery = z.strictObject({
  /** A checkpoint's `seq`: what comes after it is recomputed. From the first entry when absent. */
  from: wholeNumber({ min: 1, max: Number.MAX_SAFE_INTEGER }).optional(),
});

/**
 * What is wrong at an entry.
 *
 * `altered`: its content is not what was hashed. `unlinked`: it does not follow the entry before.
 * `missing`: there is no entry of that number. `checkpoint`, `head`: the chain is consistent and
 * not the one that was signed, or that the tenant's gate remembers. `signature`: a checkpoint's is
 * not ours.
 */
export const FAULTS = [
  "altered",
  "unlinked",
  "missing",
  "checkpoint",
  "head",
  "signature",
] as const;

export const Fault = z.object({
  seq: z.number().int(),
  /** Null for an entry that is not there. */
  id: z.string().nullable(),
  what: z.enum(FAULTS),
});
export type Fault = z.infer<typeof Fault>;

export const Verification = z.object({
  /** Everything that was looked at is as it was chained. */
  verified: z.boolean(),
  /** Entries recomputed. */
  entries: z.number().int(),
  /** Entries that wait to be chained; nothing vouches for them yet. */
  unchained: z.number().int(),
  /** Signed checkpoints that were passed and fit. */
  checkpoints: z.number().int(),
  /** Checkpoints of a key that is configured no more: they fit, their signature was not checked. */
  unknown_keys: z.number().int(),
  /** The last entry recomputed. */
  head: z.object({ seq: z.number().int(), hash: z.string() }).nullable(),
  /** Where to go on (`from`) when the chain is longer than one answer recomputes; null at its end. */
  next_from: z.number().int().nullable(),
  fault: Fault.optional(),
});
export type Verification = z.infer<typeof Verification>;
