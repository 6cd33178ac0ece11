import { expect, it } from "vitest";
import { numbered } from "./placeholders.ts";

it("F158: numbers placeholders in order", () => {
  expect(numbered("select ? where a = ? and b = ?")).toBe("select $1 where a = $2 and b = $3");
});

it("F158: leaves question marks in literals, identifiers and comments alone", () => {
  expect(numbered(`select '?', 'it''s ?', "a?b", ? -- why?\n, /* ? */ ?`)).toBe(
    `select '?', 'it''s ?', "a?b", $1 -- why?\n, /* ? */ $2`,
  );
});
