/**
 * `npm run migrations`: print the last migration of both engines anew, from the tables of core/.
 *
 * Migrations go forward only: a file that a release has shipped is never printed again. The last
 * one, as long as it has not been shipped, is whatever leads from the files before it to the tables
 * as they are. `npm run migrations -- 0002_name` begins a new last one.
 */
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { type Step, schemaOf, stepsTo } from "./difference.ts";
import { migration, postgresSteps, sqliteSteps } from "./print.ts";
import { TABLES, TENANT_TABLE } from "./tables.ts";

const HEAD = "The control plane. Printed from the tables of core/ by `npm run migrations`.";
const NAME = /^\d{4}_[a-z0-9_]+$/;

const folder = `${import.meta.dirname}/d1`;
const files = readdirSync(folder)
  .filter((file) => file.endsWith(".sql"))
  .toSorted();
const name = process.argv[2] ?? files.at(-1)?.replace(/\.sql$/, "") ?? "";
if (!NAME.test(name)) throw new Error("a migration is named like 0001_identity");

const before = files.filter((file) => file < `${name}.sql`);
const known = schemaOf(before.map((file) => readFileSync(`${folder}/${file}`, "utf8")));
const steps: readonly Step[] = stepsTo(TABLES, known);
const first = before.length === 0;

for (const [engine, statements] of [
  ["d1", sqliteSteps(steps)],
  ["neon", postgresSteps(steps, TENANT_TABLE, first)],
] as const) {
  writeFileSync(`${import.meta.dirname}/${engine}/${name}.sql`, migration(HEAD, statements));
}
