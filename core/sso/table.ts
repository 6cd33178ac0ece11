import {
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  uniqueIndex,
} from "drizzle-orm/sqlite-core";
import type { AuthMethod, RoleRule } from "./contract.ts";

/** A tenant's connections to OpenID providers. */
export const ssoConnection = sqliteTable(
  "sso_connection",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    slug: text("slug").notNull(),
    name: text("name").notNull(),
    issuer: text("issuer").notNull(),
    clientId: text("client_id").notNull(),
    /** Sealed under additional data `tenantId|sso|id`; null for a public client. */
    sealedSecret: text("sealed_secret"),
    authMethod: text("auth_method").$type<AuthMethod>().notNull(),
    scopes: text("scopes", { mode: "json" }).$type<readonly string[]>().notNull(),
    createMembers: integer("create_members", { mode: "boolean" }).notNull(),
    emailDomains: text("email_domains", { mode: "json" }).$type<readonly string[]>().notNull(),
    mappings: text("mappings", { mode: "json" }).$type<readonly RoleRule[]>().notNull(),
    defaultRole: text("default_role"),
    enabled: integer("enabled", { mode: "boolean" }).notNull(),
    revision: integer("revision").notNull(),
    lastChangeId: text("last_change_id").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    updatedAtMs: integer("updated_at_ms").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    uniqueIndex("sso_connection_slug").on(t.tenantId, t.slug),
  ],
);

/** A browser that has left for a provider and is not back. Used once; nothing in it opens anything. */
export const ssoSignIn = sqliteTable(
  "sso_sign_in",
  {
    tenantId: text("tenant_id").notNull(),
    /** SHA-256 of `state`. */
    stateHash: text("state_hash").notNull(),
    /** SHA-256 of the cookie; nonce and code verifier are made from the cookie and stand nowhere. */
    browserHash: text("browser_hash").notNull(),
    connectionId: text("connection_id").notNull(),
    returnTo: text("return_to").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    expiresAtMs: integer("expires_at_ms").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.stateHash] }),
    index("sso_sign_in_expiry").on(t.expiresAtMs),
  ],
);

/** Which user a provider's subject is. */
export const ssoIdentity = sqliteTable(
  "sso_identity",
  {
    tenantId: text("tenant_id").notNull(),
    connectionId: text("connection_id").notNull(),
    subject: text("subject").notNull(),
    userId: text("user_id").notNull(),
    lastChangeId: text("last_change_id").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.connectionId, t.subject] }),
    index("sso_identity_user").on(t.tenantId, t.userId),
  ],
);
