import { sql } from "drizzle-orm";
import {
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  uniqueIndex,
} from "drizzle-orm/sqlite-core";
import type { DataKeyState } from "./contract.ts";

/** What a tenant's secrets are sealed under, itself sealed under the platform's master key. */
export const dataKey = sqliteTable(
  "data_key",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    /** The master key it is wrapped by; null once it is destroyed. */
    kid: text("kid"),
    /** Sealed under additional data `tenantId|data_key|id|v1|kid`; null once it is destroyed. */
    wrapped: text("wrapped"),
    state: text("state").$type<DataKeyState>().notNull(),
    /** SHA-256 of the key: names it in a certificate after it is gone. */
    fingerprint: text("fingerprint").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    retiredAtMs: integer("retired_at_ms"),
    destroyedAtMs: integer("destroyed_at_ms"),
    lastChangeId: text("last_change_id").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    // Of racing first needs one wins.
    uniqueIndex("data_key_active")
      .on(t.tenantId)
      .where(sql`state = 'active'`),
    // Rotations of the master key look for what is left, over all tenants.
    index("data_key_kid").on(t.kid),
    index("data_key_state").on(t.state),
  ],
);
