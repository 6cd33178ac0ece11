import { integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

/** A part of the tenant that agents belong to. */
export const project = sqliteTable(
  "project",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    slug: text("slug").notNull(),
    name: text("name").notNull(),
    description: text("description").notNull(),
    revision: integer("revision").notNull(),
    lastChangeId: text("last_change_id").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    updatedAtMs: integer("updated_at_ms").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    uniqueIndex("project_slug").on(t.tenantId, t.slug),
  ],
);
