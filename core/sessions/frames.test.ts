import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ClientFrame, placeOf, seqOf } from "./frames.ts";

describe("a session's order", () => {
  it("orders places as their numbers, and a number leads back to its place", () => {
    const place = fc.record({
      turn: fc.integer({ min: 0, max: 1_000_000 }),
      seq: fc.integer({ min: 0, max: 999_999 }),
    });
    fc.assert(
      fc.property(place, place, (a, b) => {
        expect(placeOf(seqOf(a))).toEqual(a);
        const before = a.turn < b.turn || (a.turn === b.turn && a.seq < b.seq);
        expect(seqOf(a) < seqOf(b)).toBe(before);
      }),
    );
  });
});

describe("ClientFrame", () => {
  it.each([
    { type: "message", text: "" },
    { type: "message", text: "x", extra: 1 },
    { type: "resume", seq: -1 },
    { type: "resume", seq: 1.5 },
    { type: "cancel" },
    { type: "nope" },
    [],
    null,
  ])("refuses %j", (frame) => {
    expect(ClientFrame.safeParse(frame).success).toBe(false);
  });
});
