import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** One model call as owed; written once, never changed. */
export const usageRecord = sqliteTable(
  "usage_record",
  {
    tenantId: text("tenant_id").notNull(),
    /** Names the call, repeated steps apart: what makes taking it over idempotent. */
    id: text("id").notNull(),
    invocationId: text("invocation_id").notNull(),
    step: text("step").notNull(),
    agentId: text("agent_id").notNull(),
    environment: text("environment").notNull(),
    principal: text("principal").notNull(),
    model: text("model").notNull(),
    inputTokens: integer("input_tokens").notNull(),
    outputTokens: integer("output_tokens").notNull(),
    /** 1 when the provider reported no tokens. */
    estimated: integer("estimated").notNull(),
    costMicros: integer("cost_micros").notNull(),
    atMs: integer("at_ms").notNull(),
    /** UTC day, `2026-11-20`: totals group by it, and no clock function stands in SQL. */
    day: text("day").notNull(),
    /** The agent's project then, and whom the invocation was made for; null in older rows. */
    projectId: text("project_id"),
    userId: text("user_id"),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    index("usage_record_invocation").on(t.tenantId, t.invocationId),
    index("usage_record_day").on(t.tenantId, t.day),
  ],
);
