import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { ConfirmationPurpose } from "./contract.ts";

/** What a mailed link confirms, once. The link's token is in no row: it is made when it is sent. */
export const confirmation = sqliteTable(
  "confirmation",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    purpose: text("purpose").$type<ConfirmationPurpose>().notNull(),
    email: text("email").notNull(),
    /** Null for a registration: there is no user until its mailbox is proven. */
    userId: text("user_id"),
    /** Of a registration: what its user is to be called and to sign in with. */
    name: text("name"),
    passwordHash: text("password_hash"),
    createdAtMs: integer("created_at_ms").notNull(),
    expiresAtMs: integer("expires_at_ms").notNull(),
    usedAtMs: integer("used_at_ms"),
    /** The audit entry of its use; what depends on that use looks for it. */
    lastChangeId: text("last_change_id"),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    index("confirmation_user").on(t.tenantId, t.userId),
    index("confirmation_expiry").on(t.expiresAtMs),
  ],
);
