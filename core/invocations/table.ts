import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { InvocationStatus, Usage } from "./contract.ts";

/** The listing: a projection of what the objects hold. It may lag and never decides. */
export const invocation = sqliteTable(
  "invocation",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    agentId: text("agent_id").notNull(),
    /** The slug at the time. */
    agent: text("agent").notNull(),
    version: integer("version").notNull(),
    environment: text("environment").notNull(),
    sessionId: text("session_id").notNull(),
    principal: text("principal").notNull(),
    status: text("status").$type<InvocationStatus>().notNull(),
    error: text("error", { mode: "json" }).$type<{ code: string; detail: string }>(),
    usage: text("usage", { mode: "json" }).$type<Usage>().notNull(),
    costMicros: integer("cost_micros").notNull(),
    attempts: integer("attempts").notNull(),
    redrivenFrom: text("redriven_from"),
    createdAtMs: integer("created_at_ms").notNull(),
    completedAtMs: integer("completed_at_ms"),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    index("invocation_agent").on(t.tenantId, t.agentId, t.id),
    index("invocation_session").on(t.tenantId, t.sessionId, t.id),
  ],
);
