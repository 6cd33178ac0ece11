import fc from "fast-check";
import { expect, it } from "vitest";
import { eventParser } from "./sse.ts";

function parsed(pieces: readonly string[]): readonly unknown[] {
  const parse = eventParser();
  return pieces.flatMap((piece) => parse(piece));
}

it("reads events by every line ending, skipping comments and unknown fields", () => {
  const text =
    ": comment\ndata: one\n\nevent: error\r\ndata: two\r\ndata:  three\r\n\r\nid: 7\rdata:four\r\r" +
    "data\n\nretry: 1\n\ndata: unfinished\n";
  expect(parsed([text])).toEqual([
    { event: "", data: "one" },
    { event: "error", data: "two\n three" },
    { event: "", data: "four" },
  ]);
});

it("gives the same events however the text is cut", () => {
  const line = fc.constantFrom("data: a", "data:", "event: x", ":c", 'data: {"a":1}', "", "x");
  const end = fc.constantFrom("\n", "\r\n", "\r");
  const text = fc.array(fc.tuple(line, end)).map((lines) => lines.flat().join(""));
  fc.assert(
    fc.property(text, fc.array(fc.nat(80)), (whole, cuts) => {
      const pieces: string[] = [];
      let at = 0;
      for (const size of cuts) {
        pieces.push(whole.slice(at, at + size));
        at += size;
      }
      pieces.push(whole.slice(at));
      expect(parsed(pieces)).toEqual(parsed([whole]));
    }),
  );
});
