import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkArguments, checkSchema } from "./schema.ts";

function pointers(places: readonly { readonly pointer: string }[]): readonly string[] {
  return places.map(({ pointer }) => pointer);
}

const ORDER = {
  type: "object",
  description: "An order.",
  properties: {
    id: { type: "string", minLength: 2, maxLength: 4 },
    count: { type: "integer", minimum: 1, maximum: 10 },
    weight: { type: ["number", "null"], exclusiveMinimum: 0, exclusiveMaximum: 100 },
    size: { enum: ["s", "m", { odd: [1] }] },
    kind: { const: "order" },
    tags: { type: "array", items: { type: "string" }, minItems: 1, maxItems: 2 },
    to: {
      type: "object",
      properties: { zip: { type: "string" } },
      required: ["zip"],
      additionalProperties: { type: "boolean" },
    },
  },
  required: ["id"],
  additionalProperties: false,
};

describe("what publish refuses in a schema", () => {
  it("takes the documented subset", () => {
    expect(checkSchema(ORDER, "")).toEqual([]);
    expect(checkSchema({ type: "object", properties: {} }, "")).toEqual([]);
  });

  it.each([
    [{ properties: {} }, "/s/type"],
    [{ type: "string" }, "/s/type"],
    [{ type: "object", type2: 1 }, "/s/type2"],
    [{ type: "object", properties: { a: { type: "text" } } }, "/s/properties/a/type"],
    [{ type: "object", properties: { a: { type: [] } } }, "/s/properties/a/type"],
    [{ type: "object", properties: { a: { pattern: "(a+)+$" } } }, "/s/properties/a/pattern"],
    [{ type: "object", properties: { a: { $ref: "#/properties/a" } } }, "/s/properties/a/$ref"],
    [{ type: "object", properties: { "a/b": { anyOf: [] } } }, "/s/properties/a~1b/anyOf"],
    [{ type: "object", properties: { a: 1 } }, "/s/properties/a"],
    [{ type: "object", properties: [] }, "/s/properties"],
    [{ type: "object", required: "id" }, "/s/required"],
    [{ type: "object", properties: { a: { enum: [] } } }, "/s/properties/a/enum"],
    [{ type: "object", properties: { a: { minimum: "1" } } }, "/s/properties/a/minimum"],
    [{ type: "object", properties: { a: { maxLength: -1 } } }, "/s/properties/a/maxLength"],
    [{ type: "object", patternProperties: { "^x": {} } }, "/s/patternProperties"],
    [{ type: "object", additionalProperties: "no" }, "/s/additionalProperties"],
  ])("refuses %j at its place", (schema, pointer) => {
    expect(pointers(checkSchema(schema as never, "/s"))).toContain(pointer);
  });

  it("refuses one too deep or too large, without reaching its end", () => {
    let deep: Record<string, unknown> = { type: "string" };
    for (let i = 0; i < 5000; i += 1) deep = { type: "array", items: deep };
    expect(checkSchema({ type: "object", properties: { deep } } as never, "")).toHaveLength(1);
    const wide = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`p${i}`, {}]));
    expect(checkSchema({ type: "object", properties: wide }, "")).not.toEqual([]);
  });
});

describe("what is refused of a model's arguments", () => {
  const hostile: readonly unknown[] = [
    {},
    { id: 7 },
    { id: "x" },
    { id: "12345" },
    { id: "ok", count: 0 },
    { id: "ok", count: 1.5 },
    { id: "ok", count: "1" },
    { id: "ok", count: null },
    { id: "ok", weight: 0 },
    { id: "ok", weight: 100 },
    { id: "ok", size: "xl" },
    { id: "ok", size: { odd: [2] } },
    { id: "ok", kind: "offer" },
    { id: "ok", tags: [] },
    { id: "ok", tags: ["a", "b", "c"] },
    { id: "ok", tags: ["a", 1] },
    { id: "ok", tags: { 0: "a" } },
    { id: "ok", to: {} },
    { id: "ok", to: { zip: "1", extra: 1 } },
    { id: "ok", extra: 1 },
    { id: "ok", constructor: 1 },
    [],
    null,
    "id",
    7,
  ];
  it.each(hostile.map((value) => ({ value })))("refuses $value", ({ value }) => {
    expect(checkArguments(ORDER, value)).not.toEqual([]);
  });

  const good: readonly unknown[] = [
    { id: "ok" },
    { id: "😀😀😀😀", count: 10, weight: null, size: "s", kind: "order" },
    { id: "ok", weight: 99.9, size: { odd: [1] }, tags: ["a", "b"] },
    { id: "ok", to: { zip: "1", express: true } },
  ];
  it.each(good.map((value) => ({ value })))("takes $value", ({ value }) => {
    expect(checkArguments(ORDER, value)).toEqual([]);
  });

  it("names the place", () => {
    const value = { id: "ok", tags: ["a", 1], "a/b": 1 };
    expect(pointers(checkArguments(ORDER, value))).toEqual(["/tags/1", "/a~1b"]);
  });

  it("is not fooled by inherited or special names", () => {
    const schema = { type: "object", required: ["toString", "__proto__"], properties: {} };
    expect(checkArguments(schema, {})).toHaveLength(2);
    const hostile: unknown = JSON.parse('{"__proto__":{"id":"ok"}}');
    expect(checkArguments(ORDER, hostile)).not.toEqual([]);
    expect(({} as { id?: string }).id).toBeUndefined();
  });

  it("takes no longer than the schema is deep for a value nested without end", () => {
    let value: unknown = 1;
    for (let i = 0; i < 100_000; i += 1) value = [value];
    expect(checkArguments({ type: "object" }, { value })).toEqual([]);
    expect(checkArguments(ORDER, { id: value })).not.toEqual([]);
  });

  it("answers every JSON value without throwing", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(Array.isArray(checkArguments(ORDER, value))).toBe(true);
      }),
    );
  });
});
