import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { Principal } from "../principals/contract.ts";

/** Single-use, half a minute long; stored as its SHA-256 until used. */
export const ticket = sqliteTable(
  "ticket",
  {
    tenantId: text("tenant_id").notNull(),
    ticketHash: text("ticket_hash").notNull(),
    agentId: text("agent_id").notNull(),
    environment: text("environment").notNull(),
    principal: text("principal", { mode: "json" }).$type<Principal>().notNull(),
    expiresAtMs: integer("expires_at_ms").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.ticketHash] }),
    index("ticket_expiry").on(t.expiresAtMs),
  ],
);
