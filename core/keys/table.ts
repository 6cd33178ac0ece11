import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { CreditBudget, Rate } from "../limits/contract.ts";
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
    projectId: text("project_id"),
    /** The user it belongs to: it may never more than its owner may then. Null for the tenant's. */
    ownerId: text("owner_id"),
    /** Null is 1. */
    revision: integer("revision"),
    updatedAtMs: integer("updated_at_ms"),
    disabledAtMs: integer("disabled_at_ms"),
    /** Exact origins, and canonical ranges of addresses; null means any. */
    allowedOrigins: text("allowed_origins", { mode: "json" }).$type<readonly string[]>(),
    allowedIps: text("allowed_ips", { mode: "json" }).$type<readonly string[]>(),
    rateLimits: text("rate_limits", { mode: "json" }).$type<readonly Rate[]>(),
    /** As somebody set them; what is left the tenant's gate knows. */
    credits: text("credits", { mode: "json" }).$type<CreditBudget>(),
    metadata: text("metadata", { mode: "json" }).$type<Readonly<Record<string, string>>>(),
    /** The key this one replaces, and the one that replaced it. */
    rotatedFrom: text("rotated_from"),
    rotatedTo: text("rotated_to"),
    /** The first key of the line, whose counters and sessions it goes on with; null is itself. */
    meterId: text("meter_id"),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    // The edge looks a key up before it knows whose it is.
    index("key_id").on(t.id),
    index("key_owner")
      .on(t.tenantId, t.ownerId)
      .where(sql`owner_id is not null`),
  ],
);
