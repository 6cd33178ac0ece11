import { sql } from "drizzle-orm";
import { integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { AgentSpec } from "./spec.ts";

/** A named, addressable behaviour. Deleting keeps the row, so its id is never reused. */
export const agent = sqliteTable(
  "agent",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    slug: text("slug").notNull(),
    name: text("name").notNull(),
    description: text("description").notNull(),
    revision: integer("revision").notNull(),
    /** Number of the newest version; 0 before the first. */
    latestVersion: integer("latest_version").notNull(),
    /** Deployments so far, over all environments; the last one's `sequence`. */
    deployments: integer("deployments").notNull(),
    /** The batch that wrote last; what depends on that write looks for it (DECISIONS 26). */
    lastChangeId: text("last_change_id").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    updatedAtMs: integer("updated_at_ms").notNull(),
    deletedAtMs: integer("deleted_at_ms"),
    /** Null is the tenant's default project. */
    projectId: text("project_id"),
    /** Labels, sorted; null is none. */
    tags: text("tags", { mode: "json" }).$type<readonly string[]>(),
    /** The principal that made it; null for agents older than the column. */
    ownerId: text("owner_id"),
    /** Since when nothing is begun for it; null is running. */
    pausedAtMs: integer("paused_at_ms"),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    uniqueIndex("agent_live_slug")
      .on(t.tenantId, t.slug)
      .where(sql`deleted_at_ms is null`),
  ],
);

/** The mutable spec, with a revision of its own: renaming an agent is no edit of its draft. */
export const draft = sqliteTable(
  "draft",
  {
    tenantId: text("tenant_id").notNull(),
    agentId: text("agent_id").notNull(),
    spec: text("spec", { mode: "json" }).$type<AgentSpec>().notNull(),
    revision: integer("revision").notNull(),
    updatedAtMs: integer("updated_at_ms").notNull(),
    /** The audit entry of the last change; null before the first. */
    lastChangeId: text("last_change_id"),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.agentId] })],
);
