import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { Scope } from "../principals/contract.ts";

/** API keys. The secret itself is nowhere: only its SHA-256. */
export const key = sqliteTable(
  "key",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    name: text("name").notNull(),
    /** The part that may be shown: it finds the row, it opens nothing. */
    start: text("start").notNull(),
    secretHash: text("secret_hash").notNull(),
    scopes: text("scopes", { mode: "json" }).$type<readonly Scope[]>().notNull(),
    /** Narrowing; null means any. */
    agentId: text("agent_id"),
    environment: text("environment"),
    /** The principal that minted it. */
    createdBy: text("created_by").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    expiresAtMs: integer("expires_at_ms"),
    revokedAtMs: integer("revoked_at_ms"),
    /** The audit entry of the last change; what depends on that change looks for it. */
    lastChangeId: text("last_change_id"),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    // The edge looks a key up before it knows whose it is.
    index("key_id").on(t.id),
  ],
);
