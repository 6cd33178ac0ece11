import { integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

/** A tenant's own access to a vendor of models. */
export const provider = sqliteTable(
  "provider",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    slug: text("slug").notNull(),
    kind: text("kind").$type<"openai">().notNull(),
    baseUrl: text("base_url").notNull(),
    /** Sealed under additional data `tenantId|provider|id`; null for one that has no key of its own. */
    sealedKey: text("sealed_key"),
    revision: integer("revision").notNull(),
    lastChangeId: text("last_change_id").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    updatedAtMs: integer("updated_at_ms").notNull(),
    /** The named secret that is its key, instead of a sealed one. */
    secretName: text("secret_name"),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    uniqueIndex("provider_slug").on(t.tenantId, t.slug),
  ],
);
