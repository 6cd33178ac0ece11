import { integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { ClaimRule } from "../claim-rules/contract.ts";
import type { TokenAlg } from "../config.ts";

/** Issuers outside whose tokens the tenant accepts, each pinned to one algorithm. */
export const issuer = sqliteTable(
  "issuer",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    name: text("name").notNull(),
    issuer: text("issuer").notNull(),
    audience: text("audience").notNull(),
    alg: text("alg").$type<TokenAlg>().notNull(),
    typ: text("typ").$type<"at+jwt" | "JWT">().notNull(),
    jwksUri: text("jwks_uri"),
    /** Sealed under additional data `tenantId|issuer|id`; null for one with public keys. */
    sealedSecret: text("sealed_secret"),
    tenantClaim: text("tenant_claim"),
    tenantValue: text("tenant_value"),
    maxLifetimeSeconds: integer("max_lifetime_seconds").notNull(),
    mappings: text("mappings", { mode: "json" }).$type<readonly ClaimRule[]>().notNull(),
    defaultRole: text("default_role"),
    enabled: integer("enabled", { mode: "boolean" }).notNull(),
    revision: integer("revision").notNull(),
    lastChangeId: text("last_change_id").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    updatedAtMs: integer("updated_at_ms").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    // One row per issuer, so that which algorithm is pinned is no question.
    uniqueIndex("issuer_issuer").on(t.tenantId, t.issuer),
  ],
);
