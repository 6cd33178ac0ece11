import { getTableName } from "drizzle-orm";
import { getTableConfig } from "drizzle-orm/sqlite-core";
import { expect, it } from "vitest";
import { TABLES } from "../../migrations/tables.ts";
import { RULES } from "./rules.ts";
import { SHAPES } from "./shapes.ts";

it("F15: a rule says of every table what an export takes, and no rule is of none", () => {
  expect(Object.keys(RULES).toSorted()).toEqual(TABLES.map(getTableName).toSorted());
});

it("F15: every column that holds something sealed says what it is sealed for", () => {
  const held = TABLES.flatMap((table) =>
    getTableConfig(table)
      .columns.filter(({ name }) => name.includes("sealed") || name === "wrapped")
      .map(({ name }) => `${getTableName(table)}.${name}`),
  );
  const ruled = new Set(
    Object.entries(RULES).flatMap(([table, rule]) =>
      rule.take === "exported" ? Object.keys(rule.sealed ?? {}).map((it) => `${table}.${it}`) : [],
    ),
  );
  expect(held.filter((column) => !ruled.has(column))).toEqual(["data_key.wrapped"]);
});

it("F15, G14: every column of JSON that arrives has a shape, and no shape is of none", () => {
  const columns = TABLES.filter((table) => RULES[getTableName(table)]?.take === "exported").flatMap(
    (table) =>
      getTableConfig(table).columns.map(({ name, dataType }) => ({
        name: `${getTableName(table)}.${name}`,
        json: dataType === "json",
      })),
  );
  const shaped = Object.keys(SHAPES);
  expect(columns.filter(({ name, json }) => json && !shaped.includes(name))).toEqual([]);
  expect(shaped.filter((name) => columns.every((column) => column.name !== name))).toEqual([]);
});
