import { integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { TenantStatus } from "./contract.ts";

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
  },
  (t) => [uniqueIndex("tenant_slug").on(t.slug)],
);
