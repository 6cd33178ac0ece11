/** The schema of an agent's object: a new one and one that has grown with us come to the same. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, it } from "vitest";
import { SCHEMA, UPGRADES } from "../durable-objects/agent-runtime/tables.ts";

/** The schema of version 1, as it was. */
const FIRST = readFileSync(join(import.meta.dirname, "fixtures/object-schema/1.sql"), "utf8");

function upgraded(fill: (db: DatabaseSync) => void = () => {}): DatabaseSync {
  const db = new DatabaseSync(":memory:");
  db.exec(FIRST);
  fill(db);
  for (const statements of UPGRADES) db.exec(statements);
  return db;
}

/** Tables with their columns, and indexes; a column that was added later may stand elsewhere. */
function shapeOf(db: DatabaseSync) {
  const columns = db
    .prepare(
      `select t.name as "table", t.wr, c.name, c.type, c."notnull", c.pk
       from pragma_table_list t, pragma_table_info(t.name) c where t.schema = 'main'
       order by t.name, c.cid`,
    )
    .all();
  const indexes = db
    .prepare("select name, sql from sqlite_schema where type = 'index' and sql is not null")
    .all()
    .map(({ name, sql }) => [name, String(sql).replaceAll(/\s+/g, " ")]);
  return { columns, indexes: Object.fromEntries(indexes) as unknown };
}

it("an upgraded object has the schema of a new one", () => {
  const fresh = new DatabaseSync(":memory:");
  fresh.exec(SCHEMA);
  expect(shapeOf(fresh).columns.length).toBeGreaterThan(40);
  expect(shapeOf(upgraded())).toEqual(shapeOf(fresh));
});

it("an upgraded object has lost nothing: what is open, owed, said and limited", () => {
  const db = upgraded((old) => {
    const insert = old.prepare(
      `insert into invocation values (?, 'key_1', null, '', 'ses_1', ?, 1, 1, ?, 1, 0, 0, null, 0,
         '="Hello"', null, null, null, null, 1, 2, 1, 0, 0, 3, null, 'req_1', null, 5, ?)`,
    );
    insert.run("inv_1", 0, "succeeded", 6);
    insert.run("inv_2", 1, "succeeded", 7);
    insert.run("inv_3", 2, "running", null);
    old.exec(`insert into session values ('ses_1', 'key_1', 'order', 3, 1);
      insert into message values ('ses_1', 0, 0, 'inv_1', 'user', '=Hello', null, null, 2),
        ('ses_1', 0, 1, 'inv_1', 'assistant', '=Hi', null, null, 1);
      insert into content values ('ses_1/0/0', 0, 'part'), ('inv_1/input', 0, 'part');
      insert into outbox (invocation_id) values ('inv_2');
      insert into rate values ('agent', 99)`);
  });
  const rows = db.prepare("select id, tokens, pending, tat_us, opened from invocation").all();
  expect(rows).toMatchObject([
    { id: "inv_1", tokens: 3, pending: null, tat_us: null, opened: 0 },
    { id: "inv_2", tokens: 0, pending: 2, tat_us: null, opened: 0 },
    { id: "inv_3", tokens: 0, pending: 1, tat_us: 99, opened: 0 },
  ]);
  expect(db.prepare("select client_key from session").all()).toMatchObject([
    { client_key: "order" },
  ]);
  expect(db.prepare("select ref from content").all()).toMatchObject([{ ref: "inv_1/input" }]);
});
