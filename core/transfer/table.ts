import { sql } from "drizzle-orm";
import {
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  uniqueIndex,
} from "drizzle-orm/sqlite-core";
import type { TransferKind, TransferStatus } from "./contract.ts";

/** Exports and imports of whole tenants. The record of who took a tenant's data out, and when. */
export const transfer = sqliteTable(
  "transfer",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    kind: text("kind").$type<TransferKind>().notNull(),
    status: text("status").$type<TransferStatus>().notNull(),
    requestedBy: text("requested_by").notNull(),
    lines: integer("lines").notNull(),
    sizeBytes: integer("size_bytes").notNull(),
    sha256: text("sha256"),
    error: text("error"),
    createdAtMs: integer("created_at_ms").notNull(),
    /** Moves while it goes on: one that stands still is dead. */
    updatedAtMs: integer("updated_at_ms").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    index("transfer_id").on(t.id),
    // One import into a tenant's place at a time, however many ask at once.
    uniqueIndex("transfer_importing")
      .on(t.tenantId)
      .where(sql`kind = 'import' and status = 'running'`),
    index("transfer_running")
      .on(t.updatedAtMs)
      .where(sql`status = 'running'`),
  ],
);
