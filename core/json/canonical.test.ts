import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AgentSpec } from "../agents/spec.ts";
import { canonical } from "./canonical.ts";
import { specHash } from "../versions/hash.ts";

describe("canonical JSON", () => {
  it("orders names by UTF-16 code units, as RFC 8785 §3.2.3 shows", () => {
    const value = {
      "\u20ac": "Euro Sign",
      "\r": "Carriage Return",
      "\ufb33": "Hebrew Letter Dalet With Dagesh",
      "1": "One",
      "\ud83d\ude00": "Emoji: Grinning Face",
      "\u0080": "Control",
      "\u00f6": "Latin Small Letter O With Diaeresis",
    };
    const order = Object.values(JSON.parse(`[${canonical(value)}]`)[0] as object);
    expect(canonical(value).indexOf("Carriage")).toBeLessThan(canonical(value).indexOf("One"));
    expect(order).toHaveLength(7);
    const positions = [
      "Carriage Return",
      "One",
      "Control",
      "Latin Small",
      "Euro Sign",
      "Emoji",
      "Hebrew",
    ].map((text) => canonical(value).indexOf(text));
    expect(positions).toEqual(positions.toSorted((a, b) => a - b));
  });

  it("writes numbers and strings as RFC 8785 §3.2.2 shows", () => {
    const value = {
      numbers: [
        JSON.parse("333333333.33333329"),
        1e30,
        4.5,
        2e-3,
        0.000000000000000000000000001,
        -0,
      ],
      string: '\u20ac$\u000F\u000aA\'B"\\\\"/',
      literals: [null, true, false],
    };
    expect(canonical(value)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27,0],' +
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
  });

  it("is one text for one value, however its members are ordered", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonical(value);
        expect(canonical(reversed(JSON.parse(JSON.stringify(value))))).toBe(text);
        expect(canonical(JSON.parse(text))).toBe(text);
      }),
    );
  });

  it("leaves absent members out and refuses numbers JSON has not", () => {
    expect(canonical({ a: undefined, b: 1 })).toBe('{"b":1}');
    expect(() => canonical({ a: Number.NaN })).toThrow(RangeError);
    expect(() => canonical([Number.POSITIVE_INFINITY])).toThrow(RangeError);
  });

  it("keeps a lone surrogate apart from another", () => {
    expect(canonical("\ud800")).not.toBe(canonical("\ud801"));
  });
});

describe("the hash of a spec", () => {
  it("F45: is the same for the same content and differs for any other", async () => {
    const one = AgentSpec.parse({ kind: "llm", instructions: "a", max_steps: 3 });
    const same = AgentSpec.parse({ max_steps: 3, instructions: "a", kind: "llm" });
    const other = AgentSpec.parse({ kind: "llm", instructions: "a ", max_steps: 3 });
    expect(await specHash(one)).toBe(await specHash(same));
    expect(await specHash(one)).not.toBe(await specHash(other));
    expect(await specHash(one)).toMatch(/^[A-Za-z0-9_-]{43}$/);
  });
});

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).toReversed();
  return Object.fromEntries(members.map(([name, member]) => [name, reversed(member)]));
}
