import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RESERVED_LABELS } from "../tenants/slug.ts";
import { parseHost } from "./parse.ts";

const APEX = "example.com";
const parse = (host: string) => parseHost(host, APEX);

const slug = fc
  .stringMatching(/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/)
  .filter((text) => !RESERVED_LABELS.has(text) && text.slice(2, 4) !== "--");
const port = fc.integer({ min: 1, max: 65_535 });

describe("F1: one label under the apex is a tenant, in any case and with any legal port", () => {
  it("whatever the label", () => {
    fc.assert(
      fc.property(slug, port, fc.boolean(), (label, number, upper) => {
        const name = `${label}.${APEX}`;
        const host = `${upper ? name.toUpperCase() : name}:${number}`;
        expect(parse(host)).toEqual({ kind: "tenant", slug: label });
        expect(parse(name)).toEqual({ kind: "tenant", slug: label });
      }),
    );
  });

  it("also under localhost", () => {
    expect(parseHost("acme.localhost:8787", "localhost")).toEqual({ kind: "tenant", slug: "acme" });
    expect(parseHost("localhost:8787", "localhost")).toEqual({ kind: "platform" });
  });
});

it.each([APEX, "EXAMPLE.COM", `${APEX}:8443`, `api.${APEX}`, `API.${APEX}:1`])(
  "F1: %s is the platform",
  (host) => {
    expect(parse(host)).toEqual({ kind: "platform" });
  },
);

it.each([
  ["agents.companyx.com", "agents.companyx.com"],
  ["Agents.CompanyX.com:443", "agents.companyx.com"],
  ["xn--bcher-kva.example", "xn--bcher-kva.example"],
  ["example.com.evil.net", "example.com.evil.net"],
  ["notexample.com", "notexample.com"],
])("F1: %s is somebody's own name, never one of ours", (host, hostname) => {
  expect(parse(host)).toEqual({ kind: "custom", hostname });
});

it.each([
  "",
  ".",
  "com",
  `.${APEX}`,
  `a.b.${APEX}`,
  `acme..${APEX}`,
  `acme.${APEX}.`,
  `acme.${APEX}.:80`,
  `ab.${APEX}`,
  `${"x".repeat(64)}.${APEX}`,
  `-acme.${APEX}`,
  `acme-.${APEX}`,
  `ac_me.${APEX}`,
  `acmé.${APEX}`,
  `\u212aelvin.${APEX}`,
  `xn--acme-abc.${APEX}`,
  `ab--cd.${APEX}`,
  `acme.${APEX}:`,
  `acme.${APEX}:0`,
  `acme.${APEX}:080`,
  `acme.${APEX}:65536`,
  `acme.${APEX}:80:80`,
  `acme.${APEX}:http`,
  `acme.${APEX}:8٠`,
  `user@acme.${APEX}`,
  `acme.${APEX}/`,
  `acme.${APEX}, evil.com`,
  ` acme.${APEX}`,
  `acme.${APEX}\t`,
  `acme\0.${APEX}`,
  "127.0.0.1:8787",
  "[::1]:8787",
  "2130706433",
  "x".repeat(5000),
  ...[...RESERVED_LABELS].filter((label) => label !== "api").map((label) => `${label}.${APEX}`),
])("F1: %j is nobody, not a default tenant", (host) => {
  expect(parse(host)).toBeUndefined();
});

it("F1: never throws, and never makes a tenant of anything but its exact name", () => {
  const piece = fc.oneof(fc.string(), fc.constantFrom(".", ":", APEX, "acme", "xn--", "8787"));
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
      const host = pieces.join("");
      const found = parse(host);
      if (found?.kind !== "tenant") return;
      expect(host.toLowerCase().replace(/:\d+$/, "")).toBe(`${found.slug}.${APEX}`);
    }),
    { numRuns: 1000 },
  );
});
