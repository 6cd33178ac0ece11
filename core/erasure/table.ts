import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { ErasureCounts, ErasurePhase } from "./contract.ts";

/**
 * The one record that outlives a tenant: that it was erased, when, and how much of what. No word
 * of a person's is in it. It is the tenant's tombstone as well: the slug is nobody else's until
 * `slug_free_at_ms`.
 */
export const erasure = sqliteTable(
  "erasure",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    slug: text("slug").notNull(),
    phase: text("phase").$type<ErasurePhase>().notNull(),
    counts: text("counts", { mode: "json" }).$type<ErasureCounts>(),
    /** Fingerprints of the data keys that were destroyed; null before. */
    keys: text("keys", { mode: "json" }).$type<readonly string[]>(),
    /** The principal: `platform`, `usr_…` or `key_…`. */
    requestedBy: text("requested_by").notNull(),
    requestedAtMs: integer("requested_at_ms").notNull(),
    /** When the next phase may be taken up; null when all is done. */
    dueAtMs: integer("due_at_ms"),
    slugFreeAtMs: integer("slug_free_at_ms").notNull(),
    erasedAtMs: integer("erased_at_ms"),
    certificate: text("certificate"),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    index("erasure_id").on(t.id),
    index("erasure_due").on(t.dueAtMs),
    // Provisioning looks for the slug before it knows a tenant.
    index("erasure_slug").on(t.slug),
  ],
);
