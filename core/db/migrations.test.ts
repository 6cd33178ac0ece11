import { readFileSync, readdirSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { PGlite } from "@electric-sql/pglite";
import { describe, expect, it } from "vitest";
import { neonMigrations } from "../../migrations/neon.ts";
import { schemaOf, stepsTo } from "../../migrations/difference.ts";
import { migration, postgresSteps, sqliteSteps } from "../../migrations/print.ts";
import { TABLES, TENANT_TABLE } from "../../migrations/tables.ts";

/** Compiling Postgres to start it takes seconds on a busy machine. */
const STARTS_POSTGRES_MS = 60_000;

const FROM_NOTHING = stepsTo(TABLES, schemaOf([]));

describe("migrations", () => {
  it("F159: on a clean D1 come to what the tables say", () => {
    const migrated = sqliteObjects(d1Migrations());
    expect(migrated.columns.length).toBeGreaterThan(TABLES.length);
    expect(migrated).toEqual(sqliteObjects([migration("", sqliteSteps(FROM_NOTHING))]));
  });

  it(
    "F159, F11: on a clean Postgres come to what the tables say, policies too",
    async () => {
      const pg = new PGlite();
      const migrated = await postgresObjects(
        pg,
        neonMigrations().flatMap(({ statements }) => statements),
      );
      // Emptied, not made anew: the role is there already, as for a second database of one server.
      await pg.exec("drop schema public cascade; create schema public");
      const printed = migration("", postgresSteps(FROM_NOTHING, TENANT_TABLE, true));
      expect(migrated.columns.length).toBeGreaterThan(TABLES.length);
      expect(migrated).toEqual(await postgresObjects(pg, [printed]));
      await pg.close();
    },
    STARTS_POSTGRES_MS,
  );
});

function d1Migrations(): readonly string[] {
  const folder = `${import.meta.dirname}/../../migrations/d1`;
  return readdirSync(folder)
    .filter((name) => name.endsWith(".sql"))
    .toSorted()
    .map((name) => readFileSync(`${folder}/${name}`, "utf8"));
}

/** What the statements made, without its layout: a column added later stands where it would. */
function sqliteObjects(texts: readonly string[]) {
  const db = new DatabaseSync(":memory:");
  for (const text of texts) db.exec(text);
  const all = (query: string) => db.prepare(query).all();
  return {
    columns: all(
      `select t.name as "table", t.strict, c.name, c.type, c."notnull", c.pk
       from pragma_table_list t, pragma_table_info(t.name) c where t.schema = 'main'
       order by t.name, c.cid`,
    ),
    indexes: all(
      "select name, sql from sqlite_schema where type = 'index' and sql is not null order by name",
    ),
  };
}

async function postgresObjects(pg: PGlite, texts: readonly string[]) {
  for (const text of texts) await pg.exec(text);
  const rows = async (query: string) => (await pg.query(query)).rows;
  return {
    columns: await rows(
      `select table_name, column_name, data_type, is_nullable, collation_name
       from information_schema.columns where table_schema = 'public'
       order by table_name, ordinal_position`,
    ),
    indexes: await rows(
      "select tablename, indexdef from pg_indexes where schemaname = 'public' order by indexname",
    ),
    policies: await rows(
      "select tablename, policyname, cmd, qual, with_check from pg_policies order by tablename",
    ),
    forced: await rows(
      `select relname, relrowsecurity, relforcerowsecurity from pg_class
       where relkind = 'r' and relnamespace = 'public'::regnamespace order by relname`,
    ),
    grants: await rows(
      `select table_name, privilege_type from information_schema.role_table_grants
       where grantee = 'berth_app' order by table_name, privilege_type`,
    ),
  };
}
