import { integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

/** A person, known inside one tenant only: no identity crosses the wall between tenants. */
export const user = sqliteTable(
  "user",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    email: text("email").notNull(),
    name: text("name").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    /** `scrypt$N$r$p$salt$hash`; null for who signs in otherwise, or has not chosen one yet. */
    passwordHash: text("password_hash"),
    /** When they signed up with a tenant of their own; null for who was let in by somebody. */
    signedUpAtMs: integer("signed_up_at_ms"),
    /** When the mailbox was proven to be theirs. */
    verifiedAtMs: integer("verified_at_ms"),
    /** What was begun before (sessions, refresh families, tokens) is over; null: nothing. */
    sessionsFromMs: integer("sessions_from_ms"),
    /** Null is 1: rows older than the column. */
    revision: integer("revision"),
    /** The audit entry of the last change; what depends on that change looks for it. */
    lastChangeId: text("last_change_id"),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    uniqueIndex("user_email").on(t.tenantId, t.email),
  ],
);
