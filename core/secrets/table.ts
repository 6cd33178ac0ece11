import { sql } from "drizzle-orm";
import {
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  uniqueIndex,
} from "drizzle-orm/sqlite-core";

/** A tenant's named secrets; their values are in `secret_version`. */
export const secret = sqliteTable(
  "secret",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    name: text("name").notNull(),
    description: text("description").notNull(),
    /** Of the value that is sent now. */
    version: integer("version").notNull(),
    revision: integer("revision").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    rotatedAtMs: integer("rotated_at_ms").notNull(),
    /** To the minute, told by the object that made the call. */
    lastUsedAtMs: integer("last_used_at_ms"),
    /** The agent whose call it was. */
    lastUsedBy: text("last_used_by"),
    lastChangeId: text("last_change_id").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    uniqueIndex("secret_name").on(t.tenantId, t.name),
  ],
);

/** The values a secret had. */
export const secretVersion = sqliteTable(
  "secret_version",
  {
    tenantId: text("tenant_id").notNull(),
    /** `sec_….3`: what the value is sealed for. */
    id: text("id").notNull(),
    secretId: text("secret_id").notNull(),
    version: integer("version").notNull(),
    /** Sealed under additional data `tenantId|secret|id`; null once it has ended. */
    sealed: text("sealed"),
    createdAtMs: integer("created_at_ms").notNull(),
    /** End of the overlap with a newer value; null while it is the newest. */
    endsAtMs: integer("ends_at_ms"),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    uniqueIndex("secret_version_number").on(t.tenantId, t.secretId, t.version),
    // The sweep looks for values whose overlap has ended.
    index("secret_version_end")
      .on(t.endsAtMs)
      .where(sql`sealed is not null`),
  ],
);

/** Which versions of agents name which secrets: written when they are published. */
export const secretReference = sqliteTable(
  "secret_reference",
  {
    tenantId: text("tenant_id").notNull(),
    versionId: text("version_id").notNull(),
    name: text("name").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.versionId, t.name] }),
    index("secret_reference_name").on(t.tenantId, t.name),
  ],
);
