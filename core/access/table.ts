import {
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  uniqueIndex,
} from "drizzle-orm/sqlite-core";
import type { AssigneeKind, Statement } from "./contract.ts";

/** A role of the tenant's own. The built-in ones are code. */
export const role = sqliteTable(
  "role",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    slug: text("slug").notNull(),
    name: text("name").notNull(),
    description: text("description").notNull(),
    statements: text("statements", { mode: "json" }).$type<readonly Statement[]>().notNull(),
    /** 1 when a statement denies: whoever has it may be no administrator, whatever else it has. */
    denies: integer("denies").notNull(),
    revision: integer("revision").notNull(),
    lastChangeId: text("last_change_id").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    updatedAtMs: integer("updated_at_ms").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    uniqueIndex("role_slug").on(t.tenantId, t.slug),
  ],
);

/** Who has which role, where and until when. Never changed: made, and ended by deleting. */
export const assignment = sqliteTable(
  "assignment",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    principalKind: text("principal_kind").$type<AssigneeKind>().notNull(),
    principalId: text("principal_id").notNull(),
    /** Slug of a role, built in or the tenant's own; a slug never changes. */
    role: text("role").notNull(),
    projectId: text("project_id"),
    environment: text("environment"),
    agentId: text("agent_id"),
    expiresAtMs: integer("expires_at_ms"),
    createdBy: text("created_by").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    index("assignment_principal").on(t.tenantId, t.principalId),
    index("assignment_role").on(t.tenantId, t.role),
  ],
);
