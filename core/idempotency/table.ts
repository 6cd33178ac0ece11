import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** Answers of control-plane POSTs, kept for replay. `tenant_id` is `platform` on the platform host. */
export const idempotency = sqliteTable(
  "idempotency",
  {
    tenantId: text("tenant_id").notNull(),
    principal: text("principal").notNull(),
    route: text("route").notNull(),
    key: text("key").notNull(),
    /** Method, path and canonical body, hashed. */
    fingerprint: text("fingerprint").notNull(),
    /** Whose claim it is: only the claimer completes or abandons it. */
    claimId: text("claim_id").notNull(),
    /** Null while the request runs. */
    status: integer("status"),
    body: text("body", { mode: "json" }).$type<unknown>(),
    claimedAtMs: integer("claimed_at_ms").notNull(),
    expiresAtMs: integer("expires_at_ms").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.principal, t.route, t.key] }),
    index("idempotency_expiry").on(t.expiresAtMs),
  ],
);
