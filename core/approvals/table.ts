import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { ApprovalKind, ApprovalStatus } from "./contract.ts";

/** The listing of approvals: a projection of what the objects hold. What is asked stands there alone. */
export const approval = sqliteTable(
  "approval",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    agentId: text("agent_id").notNull(),
    /** The slug at the time. */
    agent: text("agent").notNull(),
    environment: text("environment").notNull(),
    invocationId: text("invocation_id").notNull(),
    kind: text("kind").$type<ApprovalKind>().notNull(),
    name: text("name").notNull(),
    status: text("status").$type<ApprovalStatus>().notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    expiresAtMs: integer("expires_at_ms").notNull(),
    decidedAtMs: integer("decided_at_ms"),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    index("approval_status").on(t.tenantId, t.status, t.id),
  ],
);
