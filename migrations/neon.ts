/**
 * Bring a Postgres up to date: `DATABASE_URL=postgres://… node tools/run.mjs migrations/neon.ts`.
 *
 * Forward only. Each migration is one transaction together with its own record, so one that fails
 * leaves nothing, and a second run goes on where the first stopped. The connection's role must own
 * the tables and may create roles.
 */
import { readFileSync, readdirSync } from "node:fs";
import { neonTransaction } from "../core/db/neon-driver.ts";
import type { PgTransaction } from "../core/db/neon.ts";
import { BREAKPOINT } from "./print.ts";

export type Migration = { readonly name: string; readonly statements: readonly string[] };

const RECORD = `CREATE TABLE IF NOT EXISTS berth_migration (
  name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())`;

/** The files of migrations/neon, in order. */
export function neonMigrations(): readonly Migration[] {
  const folder = `${import.meta.dirname}/neon`;
  return readdirSync(folder)
    .filter((name) => name.endsWith(".sql"))
    .toSorted()
    .map((name) => ({
      name,
      statements: readFileSync(`${folder}/${name}`, "utf8").split(BREAKPOINT),
    }));
}

/**
 * Apply what the database has not, in order.
 *
 * @returns  Names of those applied now.
 * @throws   when the database has a migration that we lack: it is newer than the code.
 */
export async function migrateNeon(
  transact: PgTransaction,
  migrations: readonly Migration[],
): Promise<readonly string[]> {
  const [, rows = []] = await transact([
    { sql: RECORD, params: [] },
    { sql: "SELECT name FROM berth_migration", params: [] },
  ]);
  const applied = new Set(rows.map(([name]) => String(name)));
  const unknown = [...applied].find((name) => migrations.every((one) => one.name !== name));
  if (unknown !== undefined) throw new Error(`the database has ${unknown}, which we do not know`);
  const due = migrations.filter(({ name }) => !applied.has(name));
  for (const { name, statements } of due) {
    await transact([
      { sql: "INSERT INTO berth_migration (name) VALUES ($1)", params: [name] },
      ...statements.map((sql) => ({ sql, params: [] })),
    ]);
  }
  return due.map(({ name }) => name);
}

if (import.meta.main) {
  const url = process.env["DATABASE_URL"];
  if (url === undefined) throw new Error("DATABASE_URL is not set");
  const applied = await migrateNeon(neonTransaction(url), neonMigrations());
  console.log(applied.length === 0 ? "up to date" : `applied ${applied.join(", ")}`);
}
