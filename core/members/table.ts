import { integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

/** A user's place in the tenant. */
export const member = sqliteTable(
  "member",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    userId: text("user_id").notNull(),
    /** Slug of a role: `admin`, another built-in one, or the tenant's own. */
    role: text("role").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    /** Null is 1: rows older than the column. */
    revision: integer("revision"),
    /** The audit entry of the last change; what depends on that change looks for it. */
    lastChangeId: text("last_change_id"),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    uniqueIndex("member_user").on(t.tenantId, t.userId),
  ],
);
