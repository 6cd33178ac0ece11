import { integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** A named target inside a tenant. */
export const environment = sqliteTable(
  "environment",
  {
    tenantId: text("tenant_id").notNull(),
    slug: text("slug").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.slug] })],
);
