import { integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { AgentSpec } from "../agents/spec.ts";

/** Immutable: no statement updates a row. */
export const version = sqliteTable(
  "version",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    agentId: text("agent_id").notNull(),
    number: integer("number").notNull(),
    specHash: text("spec_hash").notNull(),
    spec: text("spec", { mode: "json" }).$type<AgentSpec>().notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    uniqueIndex("version_number").on(t.tenantId, t.agentId, t.number),
    uniqueIndex("version_hash").on(t.tenantId, t.agentId, t.specHash),
  ],
);
