import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { Scope } from "../principals/contract.ts";

/** Machines that get tokens by client credentials. */
export const appClient = sqliteTable(
  "app_client",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    name: text("name").notNull(),
    scopes: text("scopes", { mode: "json" }).$type<readonly Scope[]>().notNull(),
    tokenLifetimeSeconds: integer("token_lifetime_seconds").notNull(),
    /** 0: no token is made, and none that was made is good. */
    enabled: integer("enabled", { mode: "boolean" }).notNull(),
    revision: integer("revision").notNull(),
    lastChangeId: text("last_change_id").notNull(),
    createdBy: text("created_by").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    updatedAtMs: integer("updated_at_ms").notNull(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.id] })],
);

/** Secrets of clients. The secret itself is nowhere: only its SHA-256. */
export const clientSecret = sqliteTable(
  "client_secret",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    clientId: text("client_id").notNull(),
    /** The part that may be shown: it finds the row, it opens nothing. */
    start: text("start").notNull(),
    secretHash: text("secret_hash").notNull(),
    lastChangeId: text("last_change_id").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    /** The end of its grace, once another has replaced it. */
    expiresAtMs: integer("expires_at_ms"),
    revokedAtMs: integer("revoked_at_ms"),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    index("client_secret_client").on(t.tenantId, t.clientId),
  ],
);
