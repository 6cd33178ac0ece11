import { isIPv4, isIPv6 } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalRange, withinRanges } from "./addresses.ts";

describe("F32: ranges of addresses a key is held to", () => {
  it.each([
    ["192.0.2.7", "192.0.2.7"],
    ["192.0.2.7/32", "192.0.2.7"],
    ["192.0.2.0/24", "192.0.2.0/24"],
    ["0.0.0.0/0", "0.0.0.0/0"],
    ["2001:DB8:0:0::/32", "2001:db8::/32"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["::", "::"],
    ["::/0", "::/0"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["::ffff:c000:207", "192.0.2.7"],
    ["::ffff:192.0.2.0/120", "192.0.2.0/24"],
    ["64:ff9b::192.0.2.1", "64:ff9b::c000:201"],
  ])("%s is kept as %s", (given, kept) => {
    expect(canonicalRange(given)).toBe(kept);
    expect(canonicalRange(kept)).toBe(kept);
  });

  it.each([
    "",
    "192.0.2",
    "192.0.2.256",
    "192.0.2.07",
    "0xc0.0.2.1",
    "3221225985",
    "192.0.2.7/24",
    "192.0.2.0/33",
    "192.0.2.0/024",
    "192.0.2.0/",
    "192.0.2.0/24/1",
    "192.0.2.1 ",
    "１92.0.2.1",
    "::ffff:192.0.2.0/95",
    ":",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:8::",
    "12345::",
    "fe80::1%eth0",
    "[::1]",
    "::1:80.0.0.1.1",
    "192.0.2.1::",
    "2001:db8::1/64",
  ])("%j is none", (text) => {
    expect(canonicalRange(text)).toBeUndefined();
  });

  it("hold the addresses inside and no other, in whatever form a proxy writes them", () => {
    const ranges = ["192.0.2.0/24", "2001:db8::/32", "198.51.100.7"];
    for (const inside of [
      "192.0.2.0",
      "192.0.2.255",
      "::ffff:192.0.2.9",
      "::FFFF:C000:0209",
      "2001:db8:ffff::1",
      "2001:0DB8:0:0:0:0:0:0",
      "198.51.100.7",
    ]) {
      expect([inside, withinRanges(inside, ranges)]).toEqual([inside, true]);
    }
    for (const outside of [
      null,
      "",
      "unknown",
      "192.0.3.0",
      "192.0.2.1, 10.0.0.1",
      "::192.0.2.1",
      "2001:db9::1",
      "198.51.100.70",
      "::ffff:0:192.0.2.1",
    ]) {
      expect([outside, withinRanges(outside, ranges)]).toEqual([outside, false]);
    }
    expect(withinRanges("::1", ["0.0.0.0/0"])).toBe(false);
    expect(withinRanges("192.0.2.1", ["::/0"])).toBe(false);
    expect(withinRanges("192.0.2.1", [])).toBe(false);
  });

  it("agree with another reader about what an address is", () => {
    const word = fc.stringMatching(/^[0-9a-f]{0,5}$/);
    const text = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.array(word, { minLength: 1, maxLength: 9 }).map((words) => words.join(":")),
      fc.array(fc.nat(300), { minLength: 3, maxLength: 5 }).map((parts) => parts.join(".")),
    );
    fc.assert(
      fc.property(text, (address) => {
        expect(canonicalRange(address) !== undefined).toBe(isIPv4(address) || isIPv6(address));
      }),
      { numRuns: 2000 },
    );
  });
});
