import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** Refresh tokens, each used once; those of one sign-in are a family. The token is its SHA-256. */
export const refreshToken = sqliteTable(
  "refresh_token",
  {
    tenantId: text("tenant_id").notNull(),
    tokenHash: text("token_hash").notNull(),
    familyId: text("family_id").notNull(),
    userId: text("user_id").notNull(),
    /** What was asked for at the sign-in, space-separated; null for all the user may. */
    scope: text("scope"),
    /** When the family began: older than the user's last sign-out everywhere is over. */
    beganAtMs: integer("began_at_ms").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    expiresAtMs: integer("expires_at_ms").notNull(),
    usedAtMs: integer("used_at_ms"),
    revokedAtMs: integer("revoked_at_ms"),
    /** Of its use: what the batch of that use depends on. */
    lastChangeId: text("last_change_id"),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.tokenHash] }),
    index("refresh_token_family").on(t.tenantId, t.familyId),
    index("refresh_token_user").on(t.tenantId, t.userId),
    index("refresh_token_expiry").on(t.expiresAtMs),
  ],
);
