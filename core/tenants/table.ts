import { integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { Flags, LocationHint, Registration, TenantStatus } from "./contract.ts";

/** The mapping slug ↔ tenant. The one table whose own id is the tenant's. */
export const tenant = sqliteTable(
  "tenant",
  {
    id: text("id").primaryKey(),
    slug: text("slug").notNull(),
    name: text("name").notNull(),
    status: text("status").$type<TenantStatus>().notNull(),
    revision: integer("revision").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    updatedAtMs: integer("updated_at_ms").notNull(),
    /** By slug; null for a tenant from before there were tiers, which no quota bounds. */
    tier: text("tier"),
    /** Where its objects are made. */
    location: text("location").$type<LocationHint>(),
    /** Those that differ from the default; null for none. */
    flags: text("flags", { mode: "json" }).$type<Partial<Flags>>(),
    /** Who may become a user by themselves; null is `closed`. */
    registration: text("registration").$type<Registration>(),
    /** What somebody who registered is; null is the least. */
    defaultRole: text("default_role"),
    /** Why it is suspended, for its own people to read. */
    suspendedReason: text("suspended_reason"),
    suspendedAtMs: integer("suspended_at_ms"),
    /** The audit entry of the last change. */
    lastChangeId: text("last_change_id"),
  },
  (t) => [uniqueIndex("tenant_slug").on(t.slug)],
);
