import { getTableName, sql } from "drizzle-orm";
import { getTableConfig } from "drizzle-orm/sqlite-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { migrateNeon, neonMigrations } from "../../migrations/neon.ts";
import { TABLES, TENANT_TABLE } from "../../migrations/tables.ts";
import { agent } from "../agents/table.ts";
import { environment } from "../environments/table.ts";
import type { PlatformScope } from "./scope.ts";
import { furnishedTenant } from "./suite-furnished.ts";
import { type TestPostgres, openPglite } from "./suite-pglite.ts";
import { NOON, newTenant } from "./suite-world.ts";
import { target } from "./statements.ts";
import { storeSuite } from "./suite.ts";

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await openPglite();
}, 60_000); // compiling Postgres to start it takes seconds on a busy machine

afterAll(async () => {
  await postgres.pg.close();
});

const platform = (): PlatformScope => postgres.platform;

storeSuite("Postgres", platform);

const WALLED = TABLES.map((table) => ({
  name: getTableName(table),
  tenantColumn: table === TENANT_TABLE ? "id" : "tenant_id",
}));

/** Which migrations were applied: nothing of a tenant, and not the app's role's to read. */
const RECORD = "berth_migration";

describe("migrating a Postgres", () => {
  it("F159: applies what is new, once, and each wholly or not at all", async () => {
    const { transact } = postgres;
    const known = neonMigrations();
    expect(await migrateNeon(transact, known)).toEqual([]);
    const broken = {
      name: "9000_broken.sql",
      statements: ["create table half (a int)", "nonsense"],
    };
    await expect(migrateNeon(transact, [...known, broken])).rejects.toThrow(/nonsense/);
    const fixed = { ...broken, statements: ["create table half (a int)", "drop table half"] };
    expect(await migrateNeon(transact, [...known, fixed])).toEqual(["9000_broken.sql"]);
    await expect(migrateNeon(transact, known)).rejects.toThrow(/9000_broken/);
  });

  it("keeps its record from the role of statements", async () => {
    await expect(platform().db.all(sql`select * from berth_migration`)).rejects.toMatchObject({
      cause: { message: expect.stringContaining("permission denied") },
    });
  });
});

/** How Postgres itself refuses it, under drizzle's own error. */
const WALL = { cause: { message: expect.stringContaining("row-level security") } };

describe("row level security", () => {
  it.each(WALLED)("F11: $name is behind a forced policy", async ({ name }) => {
    const { rows } = await postgres.pg.query(
      `select c.relrowsecurity, c.relforcerowsecurity, p.polname
       from pg_class c left join pg_policy p on p.polrelid = c.oid
       where c.relname = $1 and c.relkind = 'r'`,
      [name],
    );
    expect(rows).toEqual([
      { relrowsecurity: true, relforcerowsecurity: true, polname: "tenant_wall" },
    ]);
  });

  it("F11: there is no table that the list of tables does not know", async () => {
    const { rows } = await postgres.pg.query<{ relname: string }>(
      "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace",
    );
    const names = rows.map(({ relname }) => relname).filter((name) => name !== RECORD);
    expect(names.toSorted()).toEqual(WALLED.map(({ name }) => name).toSorted());
  });

  it("F11: a table that somebody makes without a policy is found", async () => {
    const bare = () =>
      postgres.pg.query<{ relname: string }>(
        `select c.relname from pg_class c where c.relkind = 'r'
         and c.relnamespace = 'public'::regnamespace and c.relname <> '${RECORD}'
         and not (c.relrowsecurity and c.relforcerowsecurity
                  and exists (select 1 from pg_policy p where p.polrelid = c.oid))`,
      );
    expect((await bare()).rows).toEqual([]);
    await postgres.pg.exec("create table bare (tenant_id text)");
    expect((await bare()).rows).toEqual([{ relname: "bare" }]);
    await postgres.pg.exec("alter table bare enable row level security");
    expect((await bare()).rows).toEqual([{ relname: "bare" }]);
    await postgres.pg.exec("drop table bare");
  });

  it("F11: the role of a statement can neither bypass the policies nor log in", async () => {
    const { rows } = await postgres.pg.query(
      "select rolsuper, rolbypassrls, rolcanlogin from pg_roles where rolname = 'berth_app'",
    );
    expect(rows).toEqual([{ rolsuper: false, rolbypassrls: false, rolcanlogin: false }]);
    const [row] = await platform().db.all(sql`select current_user`);
    expect(row).toEqual(["berth_app"]);
  });

  it("F11: a read without a WHERE finds the tenant's own rows, in every table", async () => {
    const acme = await furnishedTenant(platform());
    await furnishedTenant(platform());
    for (const { name, tenantColumn } of WALLED) {
      const statement = sql.raw(`select distinct ${tenantColumn} from "${name}"`);
      expect([name, await acme.scope.db.all(statement)]).toEqual([name, [[acme.tenant.id]]]);
    }
  });

  it("F11: a write without a WHERE touches the tenant's own rows, in every table", async () => {
    const acme = await furnishedTenant(platform());
    const globex = await furnishedTenant(platform());
    for (const { name, tenantColumn } of WALLED) {
      const own = sql.raw(`select count(*) from "${name}" where ${tenantColumn} = '`);
      const count = async () => platform().db.all(sql`${own}${sql.raw(`${acme.tenant.id}'`)}`);
      const before = await count();
      await globex.scope.db.run(sql.raw(`delete from "${name}"`));
      expect([name, await count()]).toEqual([name, before]);
    }
  });

  it("F11, F13: an insert or an update into another tenant is refused", async () => {
    const acme = await newTenant(platform());
    const globex = await newTenant(platform());
    const theirs = { tenantId: acme.tenant.id, slug: "evil", createdAtMs: NOON };
    await expect(globex.scope.db.insert(environment).values(theirs)).rejects.toMatchObject(WALL);
    const moving = globex.scope.db.update(environment).set({ tenantId: acme.tenant.id });
    await expect(moving).rejects.toMatchObject(WALL);
    const upsert = globex.scope.db
      .insert(environment)
      .values({ ...theirs, slug: "prod" })
      .onConflictDoUpdate({
        target: target(environment.tenantId, environment.slug),
        set: { createdAtMs: 0 },
      });
    await expect(upsert).rejects.toMatchObject(WALL);
    const kept = await platform()
      .db.select()
      .from(environment)
      .where(sql`tenant_id in (${acme.tenant.id}, ${globex.tenant.id})`);
    expect(kept).toHaveLength(6);
    expect(kept.every(({ createdAtMs }) => createdAtMs === NOON)).toBe(true);
  });

  it("F12: a transaction that says whose it is leaves nothing to the next one", async () => {
    const { scope } = await newTenant(platform());
    await scope.db.select().from(agent);
    const { rows } = await postgres.pg.query(
      "select current_user, coalesce(current_setting('app.tenant_id', true), '') as tenant",
    );
    expect(rows).toEqual([{ current_user: "postgres", tenant: "" }]);
  });

  it("F11: a transaction that does not say whose it is sees nothing", async () => {
    await furnishedTenant(platform());
    await postgres.pg.transaction(async (tx) => {
      await tx.query("set local role berth_app");
      for (const { name } of WALLED) {
        const { rows } = await tx.query(`select 1 from "${name}"`);
        expect([name, rows]).toEqual([name, []]);
      }
    });
  });
});

/** Unique over all tenants, each for its reason; the rows behind it are walled like any other. */
const WORLDWIDE: Readonly<Record<string, string>> = {
  hostname_claim: "a name leads to one tenant in the whole world; only a proven one is in it",
};

describe("keys of tenant tables", () => {
  it.each(
    TABLES.filter((table) => table !== TENANT_TABLE).map(
      (table) => [getTableName(table), table] as const,
    ),
  )("F11, F14: every primary and unique key of %s starts with the tenant", (_name, table) => {
    const { primaryKeys, indexes } = getTableConfig(table);
    const unique = indexes.filter(({ config }) => config.unique && !(config.name in WORLDWIDE));
    const firsts = [
      ...primaryKeys.map(({ columns }) => columns[0]?.name),
      ...unique.map(({ config }) => {
        const [column] = config.columns;
        return column && "name" in column ? column.name : undefined;
      }),
    ];
    expect(firsts.length).toBeGreaterThan(0);
    expect(new Set(firsts)).toEqual(new Set(["tenant_id"]));
  });
});
