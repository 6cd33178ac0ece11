import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** A browser's sign-in by a key or a user; the cookie holds the token, this row its SHA-256. */
export const consoleSession = sqliteTable(
  "console_session",
  {
    tenantId: text("tenant_id").notNull(),
    tokenHash: text("token_hash").notNull(),
    /** Empty for a user's session. */
    keyId: text("key_id").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    expiresAtMs: integer("expires_at_ms").notNull(),
    userId: text("user_id"),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.tokenHash] }),
    index("console_session_token").on(t.tokenHash),
    index("console_session_expiry").on(t.expiresAtMs),
    index("console_session_user").on(t.tenantId, t.userId),
  ],
);
