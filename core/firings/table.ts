import {
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  uniqueIndex,
} from "drizzle-orm/sqlite-core";
import type { Firing } from "./contract.ts";

/** What schedules and triggers did. One row for one occurrence, whatever is repeated. */
export const firing = sqliteTable(
  "firing",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    sourceId: text("source_id").notNull(),
    occurrence: text("occurrence").notNull(),
    outcome: text("outcome").$type<Firing["outcome"]>().notNull(),
    invocationId: text("invocation_id"),
    code: text("code"),
    atMs: integer("at_ms").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    uniqueIndex("firing_occurrence").on(t.tenantId, t.sourceId, t.occurrence),
    index("firing_source").on(t.tenantId, t.sourceId, t.id),
    index("firing_at").on(t.atMs),
  ],
);
