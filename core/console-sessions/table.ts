import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** A browser's sign-in with a key; the cookie holds the token, this row its SHA-256. */
export const consoleSession = sqliteTable(
  "console_session",
  {
    tenantId: text("tenant_id").notNull(),
    tokenHash: text("token_hash").notNull(),
    keyId: text("key_id").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    expiresAtMs: integer("expires_at_ms").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.tokenHash] }),
    index("console_session_token").on(t.tokenHash),
    index("console_session_expiry").on(t.expiresAtMs),
  ],
);
