import { sql } from "drizzle-orm";
import {
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  uniqueIndex,
} from "drizzle-orm/sqlite-core";
import type { Level } from "../limits/contract.ts";

/** A kill switch that is thrown; lifting it deletes the row. */
export const stop = sqliteTable(
  "stop",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    level: text("level").$type<Level>().notNull(),
    /** Empty for the tenant. */
    subject: text("subject").notNull(),
    reason: text("reason").notNull(),
    createdBy: text("created_by").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    /** When every object it concerns had been told; null while some have not. */
    reachedAtMs: integer("reached_at_ms"),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    uniqueIndex("stop_aim").on(t.tenantId, t.level, t.subject),
    index("stop_unreached")
      .on(t.tenantId, t.createdAtMs)
      .where(sql`reached_at_ms is null`),
  ],
);
