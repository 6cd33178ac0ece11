import { integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { LimitPer, Level } from "./contract.ts";

/** How many invocations somebody may make in a period, or have open at once. */
export const rateLimit = sqliteTable(
  "rate_limit",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    level: text("level").$type<Level>().notNull(),
    /** Empty for the tenant; `*` for each by itself. */
    subject: text("subject").notNull(),
    per: text("per").$type<LimitPer>().notNull(),
    most: integer("most").notNull(),
    revision: integer("revision").notNull(),
    lastChangeId: text("last_change_id").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    updatedAtMs: integer("updated_at_ms").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    uniqueIndex("rate_limit_aim").on(t.tenantId, t.level, t.subject, t.per),
  ],
);
