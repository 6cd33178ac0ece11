import { describe, expect, it } from "vitest";
import { schemaOf } from "./openapi/json-schema.ts";
import { PageQuery, wholeNumber } from "./page.ts";

describe("a whole number in text", () => {
  const schema = wholeNumber({ min: 1, max: 100 });

  it("is decimal digits within its bounds", () => {
    expect(["1", "007", "100"].map((text) => schema.parse(text))).toEqual([1, 7, 100]);
  });

  it.each(["0x5", "1e1", " 5", "5 ", "+5", "-5", "5.0", "", "0", "101", "١", "9".repeat(17)])(
    "is not %j",
    (text) => {
      expect(schema.safeParse(text).success).toBe(false);
    },
  );

  it("stays exact at every size", () => {
    const any = wholeNumber({ min: 0, max: Number.MAX_SAFE_INTEGER });
    expect(any.parse("9007199254740991")).toBe(Number.MAX_SAFE_INTEGER);
    expect(any.safeParse("9007199254740992").success).toBe(false);
  });

  it("is an integer with its bounds in the documents", () => {
    expect(schemaOf(schema, "input")).toEqual({ type: "integer", minimum: 1, maximum: 100 });
  });
});

describe("the query of a list", () => {
  it("has its default, and no field that is not declared", () => {
    expect(PageQuery.parse({})).toEqual({ limit: 25 });
    expect(PageQuery.safeParse({ limti: "5" }).success).toBe(false);
  });
});
