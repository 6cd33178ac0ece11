import { integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** What a tenant has said of its content; no row while it has said nothing. */
export const contentPolicy = sqliteTable(
  "content_policy",
  {
    tenantId: text("tenant_id").notNull(),
    /** `content`: what its key is sealed for. There is one. */
    id: text("id").notNull(),
    /** Days after an invocation's end; null for ever. */
    requestsDays: integer("requests_days"),
    eventsDays: integer("events_days"),
    journalsDays: integer("journals_days"),
    usageDays: integer("usage_days"),
    sealing: integer("sealing", { mode: "boolean" }).notNull(),
    /** Made when sealing is first switched on, and kept: what was sealed must open. */
    sealedKey: text("sealed_key"),
    /** When cron last looked for rows of the listing that have had their time. */
    sweptAtMs: integer("swept_at_ms").notNull(),
    revision: integer("revision").notNull(),
    lastChangeId: text("last_change_id").notNull(),
    updatedAtMs: integer("updated_at_ms").notNull(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.id] })],
);
