/**
 * `npm run migrations`: print the first migration of both engines from the tables of core/.
 *
 * Migrations go forward only. Once a release has shipped 0000, a change of a table is a further
 * file in both folders, and the drift test (core/db/migrations.test.ts) says whether the files
 * together come to what the tables say.
 */
import { writeFileSync } from "node:fs";
import { migration, postgresSchema, sqliteSchema } from "./print.ts";
import { TABLES, TENANT_TABLE } from "./tables.ts";

const HEAD = "The control plane. Printed from the tables of core/ by `npm run migrations`.";

function write(file: string, statements: readonly string[]): void {
  writeFileSync(`${import.meta.dirname}/${file}`, migration(HEAD, statements));
}

write("d1/0000_control_plane.sql", sqliteSchema(TABLES));
write("neon/0000_control_plane.sql", postgresSchema(TABLES, TENANT_TABLE));
