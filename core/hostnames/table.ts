import {
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  uniqueIndex,
} from "drizzle-orm/sqlite-core";
import type { HostnameStatus } from "./contract.ts";

/** A name of the tenant's own. Several tenants may have asked for it; one at most holds it. */
export const hostname = sqliteTable(
  "hostname",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    name: text("name").notNull(),
    status: text("status").$type<HostnameStatus>().notNull(),
    /** The name again, while it is proven to be this tenant's: unique over all tenants. */
    claimedName: text("claimed_name"),
    /** What the TXT record shows; no secret. */
    token: text("token").notNull(),
    /** Its name at whatever serves certificates; null for none. */
    edgeId: text("edge_id"),
    problem: text("problem"),
    /** Re-checks in a row that found it gone. */
    failures: integer("failures").notNull(),
    checkedAtMs: integer("checked_at_ms"),
    /** When cron looks at it next; null for never. */
    dueMs: integer("due_ms"),
    verifiedAtMs: integer("verified_at_ms"),
    revision: integer("revision").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    updatedAtMs: integer("updated_at_ms").notNull(),
    lastChangeId: text("last_change_id"),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    uniqueIndex("hostname_name").on(t.tenantId, t.name),
    // The one key that does not begin with the tenant: a name is one tenant's in the whole world.
    uniqueIndex("hostname_claim").on(t.claimedName),
    index("hostname_due").on(t.dueMs),
  ],
);
