import { sql } from "drizzle-orm";
import {
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  uniqueIndex,
} from "drizzle-orm/sqlite-core";

/**
 * Who did what to which resource, when and from where. Written with the change, unchained; the
 * tenant's gate chains entries afterwards (DECISIONS 26, 27). Never updated but for the three
 * columns of the chain, never deleted but with the tenant.
 */
export const audit = sqliteTable(
  "audit",
  {
    tenantId: text("tenant_id").notNull(),
    /** Also the `last_change_id` of the row that changed. */
    id: text("id").notNull(),
    atMs: integer("at_ms").notNull(),
    /** `noun.verbed`. */
    action: text("action").notNull(),
    actorKind: text("actor_kind").notNull(),
    actorId: text("actor_id").notNull(),
    address: text("address"),
    requestId: text("request_id"),
    resourceKind: text("resource_kind").notNull(),
    resourceId: text("resource_id").notNull(),
    result: text("result").$type<"done" | "refused">().notNull(),
    /** SHA-256 of the canonical JSON of what it was and of what it became; null for nothing. */
    beforeDigest: text("before_digest"),
    afterDigest: text("after_digest"),
    /** Small facts that are no secret, as canonical JSON; null for none. */
    detail: text("detail"),
    /** Place in the tenant's chain, from 1; null while it is not chained. */
    seq: integer("seq"),
    previousHash: text("previous_hash"),
    hash: text("hash"),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    // No two entries have one place, whoever chains them.
    uniqueIndex("audit_seq").on(t.tenantId, t.seq),
    index("audit_actor").on(t.tenantId, t.actorId, t.id),
    index("audit_resource").on(t.tenantId, t.resourceKind, t.resourceId, t.id),
    index("audit_unchained")
      .on(t.tenantId, t.id)
      .where(sql`seq is null`),
  ],
);

/** Marks of a tenant's chain under our signature. Written once by its gate, never updated. */
export const auditCheckpoint = sqliteTable(
  "audit_checkpoint",
  {
    tenantId: text("tenant_id").notNull(),
    /** Of the entry it stands at. */
    seq: integer("seq").notNull(),
    hash: text("hash").notNull(),
    atMs: integer("at_ms").notNull(),
    kid: text("kid").notNull(),
    /** Compact JWS over `{tenant_id, seq, hash, at}`. */
    signature: text("signature").notNull(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.seq] })],
);
