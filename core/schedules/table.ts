import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { InvokeBody } from "../invocations/contract.ts";
import type { MissedRuns } from "./contract.ts";

/** A time rule that makes invocations of one agent in one environment. */
export const schedule = sqliteTable(
  "schedule",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    name: text("name").notNull(),
    agentId: text("agent_id").notNull(),
    environment: text("environment").notNull(),
    cron: text("cron").notNull(),
    zone: text("zone").notNull(),
    input: text("input", { mode: "json" }).$type<InvokeBody["input"]>().notNull(),
    sessionId: text("session_id"),
    maxCostMicros: integer("max_cost_micros"),
    missed: text("missed").$type<MissedRuns>().notNull(),
    pausedAtMs: integer("paused_at_ms"),
    /** The next occurrence that is not dealt with; null while paused, or when none comes. */
    nextMs: integer("next_ms"),
    lastMs: integer("last_ms"),
    createdBy: text("created_by").notNull(),
    revision: integer("revision").notNull(),
    lastChangeId: text("last_change_id").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    updatedAtMs: integer("updated_at_ms").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    // Cron asks for what is due of all tenants.
    index("schedule_next").on(t.nextMs),
  ],
);
