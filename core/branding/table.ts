import { integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { LogoType, SchemeColours } from "./contract.ts";

/** What a tenant's pages wear; no row is the platform's own look. */
export const branding = sqliteTable(
  "branding",
  {
    tenantId: text("tenant_id").notNull(),
    name: text("name"),
    light: text("light", { mode: "json" }).$type<SchemeColours>().notNull(),
    dark: text("dark", { mode: "json" }).$type<SchemeColours>().notNull(),
    logoType: text("logo_type").$type<LogoType>(),
    /** Base64; an SVG as it was made safe. */
    logo: text("logo"),
    logoBytes: integer("logo_bytes"),
    /** SHA-256 of the bytes, base64url: the logo's ETag. */
    logoDigest: text("logo_digest"),
    revision: integer("revision").notNull(),
    updatedAtMs: integer("updated_at_ms").notNull(),
    lastChangeId: text("last_change_id"),
  },
  (t) => [primaryKey({ columns: [t.tenantId] })],
);
