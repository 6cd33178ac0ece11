import fc from "fast-check";
import { expect, it } from "vitest";
import { parseHost } from "../hosts/parse.ts";
import { hostnameFrom } from "./name.ts";
import { fromPunycode } from "./punycode.ts";

const OWN = "berth.example";
const named = (text: string) => hostnameFrom(text, OWN);

it.each([
  ["agents.companyx.com", "agents.companyx.com"],
  ["AGENTS.CompanyX.com.", "agents.companyx.com"],
  ["companyx.co.uk", "companyx.co.uk"],
  ["bücher.example", "xn--bcher-kva.example"],
  ["BÜCHER.example", "xn--bcher-kva.example"],
  ["xn--bcher-kva.example", "xn--bcher-kva.example"],
  ["例え.テスト", "xn--r8jz45g.xn--zckzah"],
  ["президент.рф", "xn--d1abbgf6aiiy.xn--p1ai"],
  ["notberth.example", "notberth.example"],
  ["berth.example.com", "berth.example.com"],
])("F4: %s is the name %s", (text, name) => {
  expect(named(text)).toEqual({ ok: true, name });
  expect(parseHost(name, OWN)).toEqual({ kind: "custom", hostname: name });
});

it.each([
  "",
  ".",
  "..",
  "com",
  "localhost",
  "companyx.com..",
  ".companyx.com",
  "a..companyx.com",
  "-a.companyx.com",
  "a-.companyx.com",
  "a_b.companyx.com",
  "*.companyx.com",
  "companyx.*",
  "https://companyx.com",
  "companyx.com:443",
  "companyx.com/path",
  "user@companyx.com",
  "companyx.com?x",
  "companyx.com#x",
  "companyx .com",
  "companyx.com\n",
  "companyx%2ecom",
  "companyx\\.com",
  "127.0.0.1",
  "0x7f.1",
  "2130706433",
  "127.1",
  "1.2.3.4.5",
  "companyx.123",
  "[::1]",
  "::1",
  OWN,
  `acme.${OWN}`,
  `a.b.${OWN}`,
  `ACME.${OWN.toUpperCase()}.`,
  "printer.local",
  "db.internal",
  "a.localhost",
  "1.0.0.127.in-addr.arpa",
  "hidden.onion",
  `${"x".repeat(64)}.com`,
  `${"x.".repeat(130)}com`,
  "companyx。com",
  "companyx．com",
  "ｃompanyx.com",
  "\u212aelvin.com",
  "ﬁle.com",
  "com\u200bpanyx.com",
  "com\u00adpanyx.com",
  "\u202ecompanyx.com",
  "pаypal.com", // a Cyrillic а among Latin letters
  "xn--pypal-4ve.com", // the same, encoded
  "gοοgle.com", // Greek omicrons
  "xn--a.com",
  "xn--.com",
  "ab--cd.com",
  "☃\ufe0f.com",
])("F4: %j is no name a tenant may bring", (text) => {
  expect(named(text)).toMatchObject({ ok: false });
});

it("F4: what is accepted is found again by the host of a request, and is its own normal form", () => {
  const piece = fc.oneof(
    fc.constantFrom(".", "-", "xn--", OWN, "com", "ä", "あ", "1", "*", ":"),
    fc.string({ maxLength: 5 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const found = named(pieces.join(""));
      if (!found.ok) return;
      expect(parseHost(found.name, OWN)).toEqual({ kind: "custom", hostname: found.name });
      expect(named(found.name)).toEqual(found);
      expect(named(`${found.name.toUpperCase()}.`)).toEqual(found);
    }),
    { numRuns: 2000 },
  );
});

it("F4: punycode is read as the platform's own URL parser writes it", () => {
  const letters = fc.constantFrom("ä", "é", "ß", "я", "あ", "字", "한", "𐍈", "a", "z", "0", "-");
  fc.assert(
    fc.property(fc.array(letters, { minLength: 1, maxLength: 12 }), (chars) => {
      const text = chars.join("");
      const label = labelOf(text);
      fc.pre(label?.startsWith("xn--") === true);
      expect(fromPunycode(label?.slice(4) ?? "")).toBe(text);
    }),
    { numRuns: 500 },
  );
});

/** The label as DNS has it; undefined for what is none. */
function labelOf(text: string): string | undefined {
  try {
    return new URL(`http://${text}.example/`).hostname.split(".")[0];
  } catch {
    return undefined;
  }
}
