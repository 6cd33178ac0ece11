import { integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { BudgetPeriod, Level } from "../limits/contract.ts";

/** How much may be spent on somebody's behalf; what is spent of it the tenant's gate knows. */
export const budget = sqliteTable(
  "budget",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    level: text("level").$type<Level>().notNull(),
    /** Empty for the tenant; `*` for each by itself. */
    subject: text("subject").notNull(),
    period: text("period").$type<BudgetPeriod>().notNull(),
    amountMicros: integer("amount_micros").notNull(),
    warnAtPct: text("warn_at_pct", { mode: "json" }).$type<readonly number[]>().notNull(),
    exhausted: text("exhausted").$type<"fail" | "wait">().notNull(),
    revision: integer("revision").notNull(),
    lastChangeId: text("last_change_id").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    updatedAtMs: integer("updated_at_ms").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    uniqueIndex("budget_aim").on(t.tenantId, t.level, t.subject, t.period),
  ],
);
