import { sql } from "drizzle-orm";
import { integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

/** Somebody asked to join. The link's token is in no row: it is made when the mail is sent. */
export const invitation = sqliteTable(
  "invitation",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    email: text("email").notNull(),
    role: text("role").notNull(),
    status: text("status").$type<"open" | "accepted" | "revoked">().notNull(),
    invitedBy: text("invited_by").notNull(),
    /** Counts the sendings that were asked for: a link of an earlier one opens nothing. */
    edition: integer("edition").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    expiresAtMs: integer("expires_at_ms").notNull(),
    lastChangeId: text("last_change_id").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    // One address has one open invitation, whoever asks at once.
    uniqueIndex("invitation_email")
      .on(t.tenantId, t.email)
      .where(sql`status = 'open'`),
  ],
);
