import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { Trigger } from "./contract.ts";

/** An event rule: the end of one agent's invocation makes one of another's. */
export const trigger = sqliteTable(
  "trigger_rule",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    name: text("name").notNull(),
    agentId: text("agent_id").notNull(),
    environment: text("environment").notNull(),
    statuses: text("statuses", { mode: "json" }).$type<Trigger["statuses"]>().notNull(),
    targetId: text("target_id").notNull(),
    targetEnvironment: text("target_environment").notNull(),
    input: text("input").notNull(),
    maxCostMicros: integer("max_cost_micros"),
    pausedAtMs: integer("paused_at_ms"),
    createdBy: text("created_by").notNull(),
    revision: integer("revision").notNull(),
    lastChangeId: text("last_change_id").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    updatedAtMs: integer("updated_at_ms").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    index("trigger_rule_agent").on(t.tenantId, t.agentId, t.environment),
  ],
);
