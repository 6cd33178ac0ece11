import { expect, it } from "vitest";
import { matching } from "./matching.ts";

const rule = (claim: string, ...values: string[]) => ({ claim, values });
const matches = (claim: string, value: string, claims: Readonly<Record<string, unknown>>) =>
  matching([rule(claim, value)], claims).length === 1;

it("F41: a rule is met by a text, a list, a word of `scope`, a number or a truth", () => {
  expect(matches("role", "dev", { role: "dev" })).toBe(true);
  expect(matches("roles", "dev", { roles: ["ops", "dev"] })).toBe(true);
  expect(matches("scope", "dev", { scope: "ops dev" })).toBe(true);
  expect(matches("level", "3", { level: 3 })).toBe(true);
  expect(matches("staff", "true", { staff: true })).toBe(true);
});

it("F41: a claim is named as it stands, or by a pointer into it", () => {
  expect(matches("https://id.example/roles", "dev", { "https://id.example/roles": ["dev"] })).toBe(
    true,
  );
  const nested = { realm_access: { roles: ["dev"], "a/b": "c" } };
  expect(matches("/realm_access/roles", "dev", nested)).toBe(true);
  expect(matches("/realm_access/a~1b", "c", nested)).toBe(true);
  expect(matches("realm_access.roles", "dev", nested)).toBe(false);
});

it("F41: nothing half is enough, and nothing inherited counts", () => {
  expect(matches("role", "dev", { role: "developer" })).toBe(false);
  expect(matches("role", "dev", { role: "ops dev" })).toBe(false);
  expect(matches("role", "dev", { role: [["dev"]] })).toBe(false);
  expect(matches("role", "dev", { role: null })).toBe(false);
  expect(matches("constructor", "Object", {})).toBe(false);
  expect(matches("/constructor/name", "Object", {})).toBe(false);
  expect(matches("role", "dev", {})).toBe(false);
});

it("F41: every rule that is met counts, in its own order", () => {
  const rules = [rule("a", "1"), rule("b", "2"), rule("a", "3", "1")];
  expect(matching(rules, { a: "1", b: "no" })).toEqual([rules[0], rules[2]]);
});
