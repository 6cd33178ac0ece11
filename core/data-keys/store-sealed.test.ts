import { getTableColumns, getTableName } from "drizzle-orm";
import { expect, it } from "vitest";
import { TABLES } from "../../migrations/tables.ts";
import { RULES } from "../transfer/rules.ts";
import { SEALED } from "./store-sealed.ts";

const listed = SEALED.map(
  ({ kind, table, column }) => `${getTableName(table)}.${column.name} ${kind}`,
);

it("F191: every sealed column there is, is sealed again by a rotation", () => {
  const named = TABLES.flatMap((table) =>
    Object.values(getTableColumns(table))
      .filter(({ name }) => name.startsWith("sealed"))
      .map(({ name }) => `${getTableName(table)}.${name}`),
  );
  const columns = SEALED.map(({ table, column }) => `${getTableName(table)}.${column.name}`);
  expect(columns.toSorted()).toEqual(named.toSorted());
});

it("F191: is the same for a rotation as for an export", () => {
  const exported = Object.entries(RULES).flatMap(([table, rule]) =>
    Object.entries(rule.take === "exported" ? (rule.sealed ?? {}) : {}).map(
      ([column, { kind }]) => `${table}.${column} ${kind}`,
    ),
  );
  expect(listed.toSorted()).toEqual(exported.toSorted());
});
