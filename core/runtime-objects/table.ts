import {
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  uniqueIndex,
} from "drizzle-orm/sqlite-core";

/** Tag ↔ object: how an `inv_` or `ses_` id finds its object, inside this tenant only (DECISIONS 2). */
export const runtimeObject = sqliteTable(
  "runtime_object",
  {
    tenantId: text("tenant_id").notNull(),
    tag: text("tag").notNull(),
    agentId: text("agent_id").notNull(),
    environment: text("environment").notNull(),
    replica: integer("replica").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.tag] }),
    // Cron walks all tenants' objects by the first character of their tags.
    index("runtime_object_tag").on(t.tag),
    uniqueIndex("runtime_object_name").on(t.tenantId, t.agentId, t.environment, t.replica),
  ],
);
