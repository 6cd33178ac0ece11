/** Ranking, and vectors as rows keep them. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fuse } from "./fuse.ts";
import { nearTo, packVector } from "./vector.ts";
import { matchOf, wordsIn, wordsOf } from "./words.ts";

const cosine = (a: readonly number[], b: readonly number[]): number => {
  const dot = a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
  const size = (v: readonly number[]) =>
    Math.sqrt(v.reduce((sum, value) => sum + value * value, 0));
  return dot / (size(a) * size(b));
};

describe("vectors", () => {
  const numbers = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), {
    minLength: 64,
    maxLength: 64,
  });

  it("a packed vector is as close as the vector was", () => {
    fc.assert(
      fc.property(numbers, numbers, (a, b) => {
        fc.pre([a, b].every((v) => v.some((value) => Math.abs(value) > 0.01)));
        const near = nearTo(Float32Array.from(a))(packVector(Float32Array.from(b)));
        expect(Math.abs(near - cosine(a, b))).toBeLessThan(0.01);
      }),
    );
  });

  it("a packed vector is one byte a number, and safe in JSON", () => {
    const packed = packVector(Float32Array.from([1, -1, 0, 0.5, -0.25]));
    const codes = Array.from(packed, (c) => c.charCodeAt(0));
    expect(codes.every((code) => code > 32 && code < 256)).toBe(true);
    expect(JSON.parse(JSON.stringify(packed))).toBe(packed);
  });

  it("nothing is close to a vector of nothing, or of another length", () => {
    const near = nearTo(Float32Array.from([1, 0]));
    expect(near(packVector(new Float32Array(2)))).toBe(0);
    expect(near(packVector(Float32Array.from([1, 0, 0])))).toBe(0);
  });
});

describe("fusion", () => {
  it("what both rankings have comes before what one has, ties to the newer", () => {
    const fused = fuse([
      [1, 2, 3],
      [3, 4],
    ]);
    expect(fused.map(({ n }) => n)).toEqual([3, 1, 4, 2]);
    expect(fused[0]).toMatchObject({ ranks: [3, 1], score: 1 / 63 + 1 / 61 });
    expect(fuse([[5], [6]]).map(({ n }) => n)).toEqual([6, 5]);
  });
});

describe("words", () => {
  it("those that say something, each once", () => {
    expect(wordsOf("Where is the depot, and whose depot is Nora's?")).toEqual(["depot", "nora"]);
    expect(wordsOf("where is the?")).toEqual([]);
    expect(matchOf([])).toBeUndefined();
  });

  it("G14: nothing a caller writes is an operator of the index", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
        const match = matchOf(wordsOf(text));
        expect(match ?? `"none"`).toMatch(/^"[\p{L}\p{N}]+"(?: OR "[\p{L}\p{N}]+")*$/u);
      }),
    );
    const hostile = 'depot" OR title:* NEAR(x)';
    expect(matchOf(wordsOf(hostile))).toBe('"depot" OR "title" OR "near"');
  });

  it("a passage holds a word in its longer or shorter form", () => {
    expect(wordsIn(["invoice", "inv", "depots"], "Invoices are at the depot.")).toEqual([
      "invoice",
      "depots",
    ]);
  });
});
