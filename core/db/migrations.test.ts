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

/**
 * A value every column of its kind takes, also one that holds JSON; another for another row, so
 * that no two rows are the same.
 */
const cell = (type: string, row: number) => (type === "text" ? `"row ${row}"` : row);
const ROWS = [1, 2];

describe("migrations of what a release has shipped", () => {
  it("F159: keep every row of a D1 that had data in it", () => {
    const [first = "", ...later] = d1Migrations();
    expect(later.length).toBeGreaterThan(0);
    const db = new DatabaseSync(":memory:");
    db.exec(first);
    const shipped = columnsOf(db);
    for (const [table, columns] of shipped) {
      const names = columns.map(({ name }) => `"${name}"`).join(", ");
      const marks = columns.map(() => "?").join(", ");
      const insert = db.prepare(`insert into "${table}" (${names}) values (${marks})`);
      for (const row of ROWS) insert.run(...columns.map(({ type }) => cell(type, row)));
    }
    const before = rowsOf(db);
    for (const text of later) db.exec(text);
    const after = rowsOf(db);
    expect(before.size).toBeGreaterThan(10);
    for (const [table, rows] of before) {
      expect([table, after.get(table)]).toEqual([
        table,
        rows.map((row) => expect.objectContaining({ ...row })),
      ]);
    }
    // What came since is empty there, or a column that was not: null.
    const filled = [...after].filter(([table, rows]) => !shipped.has(table) && rows.length > 0);
    expect(filled).toEqual([]);
  });

  it(
    "F159: keep every row of a Postgres that had data in it, behind its policies",
    async () => {
      const pg = new PGlite();
      const [first, ...later] = neonMigrations();
      for (const text of first?.statements ?? []) await pg.exec(text);
      const { rows: shipped } = await pg.query<{ name: string; columns: readonly string[] }>(
        `select table_name as name, array_agg(column_name || ' ' || data_type) as columns
         from information_schema.columns where table_schema = 'public' group by table_name`,
      );
      expect(shipped.length).toBeGreaterThan(10);
      for (const { name, columns } of shipped) {
        const parts = columns.map((column) => column.split(" "));
        const names = parts.map(([column = ""]) => `"${column}"`).join(", ");
        for (const row of ROWS) {
          const marks = parts.map((_, index) => `$${index + 1}`).join(", ");
          const values = parts.map(([, type = ""]) => cell(type, row));
          await pg.query(`insert into "${name}" (${names}) values (${marks})`, values);
        }
      }
      const read = async ({ name }: { name: string }) =>
        (await pg.query<object>(`select * from "${name}" order by 1, 2`)).rows;
      const before = await Promise.all(shipped.map(read));
      for (const { statements } of later) for (const text of statements) await pg.exec(text);
      for (const [index, table] of shipped.entries()) {
        const kept = before[index]?.map((row) => expect.objectContaining(row));
        expect([table.name, await read(table)]).toEqual([table.name, kept]);
      }
      const open = await pg.query(
        `select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace
         and not (relrowsecurity and relforcerowsecurity)`,
      );
      expect(open.rows).toEqual([]);
      await pg.close();
    },
    STARTS_POSTGRES_MS,
  );
});

function columnsOf(db: DatabaseSync) {
  const rows = db
    .prepare(
      `select t.name as "table", c.name, lower(c.type) as type
       from pragma_table_list t, pragma_table_info(t.name) c
       where t.schema = 'main' and t.name not like 'sqlite\\_%' escape '\\' order by c.cid`,
    )
    .all()
    .map(({ table, name, type }) => ({
      table: String(table),
      name: String(name),
      type: String(type),
    }));
  return Map.groupBy(rows, ({ table }) => table);
}

function rowsOf(db: DatabaseSync) {
  const read = (table: string) => db.prepare(`select * from "${table}" order by 1, 2`).all();
  return new Map([...columnsOf(db).keys()].map((table) => [table, read(table)] as const));
}

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
