import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseTemplate, type UrlTemplate } from "./url-template.ts";

function template(text: string): UrlTemplate {
  const parsed = parseTemplate(text);
  if (typeof parsed === "string") throw new Error(parsed);
  return parsed;
}

function filled(text: string, values: Readonly<Record<string, unknown>>): string {
  const url = template(text).expand(values);
  return url instanceof URL ? url.href : `refused: ${url.pointer} ${url.detail}`;
}

describe("a URL template", () => {
  it("puts encoded values in their places", () => {
    const values = { id: "a b/ü", q: "x&y=1#z", n: 7, on: true };
    expect(filled("https://a.example/o/{id}?q={q}&n={n}&on={on}", values)).toBe(
      "https://a.example/o/a%20b%2F%C3%BC?q=x%26y%3D1%23z&n=7&on=true",
    );
    expect(filled("https://a.example", {})).toBe("https://a.example/");
    expect(filled("https://a.example/{id}/{id}", { id: "1" })).toBe("https://a.example/1/1");
  });

  it.each([
    "{scheme}://a.example/",
    "https://{host}/",
    "https://a.{zone}/x",
    "https://a.example:{port}/",
    "https://{user}@a.example/",
    "https://a.example\\{x}/",
    "ftp://a.example/{x}",
    "//a.example/{x}",
    "/{x}",
    "https://a.example/{x",
    "https://a.example/x}",
    "https://a.example/{}",
    "https://a.example/{a b}",
    "https://a.example/{{x}}",
    "https://a.example/#{x}",
    "https://a.example/../{x}",
    "https://a.example/%2e%2E/{x}",
    "https://exa mple.com/{x}",
    "https://",
    "",
  ])("refuses %s at publish", (text) => {
    expect(parseTemplate(text)).toBeTypeOf("string");
  });

  it.each([
    "",
    ".",
    "..",
    "%2e%2e",
    "/",
    "../x",
    "..\\x",
    "a/../../b",
    "?q",
    "#f",
    "@evil.example",
    "\u0000",
    "\ud800",
    "//evil.example/",
    ":80",
  ])("an argument %j stays within its segment", (id) => {
    const result = template("https://a.example/v1/{id}").expand({ id });
    const kept =
      result instanceof URL
        ? /^https:\/\/a\.example\/v1\/[^/?#]+$/.test(result.href)
        : result.pointer === "/id";
    expect(kept).toBe(true);
  });

  it("refuses what would drop the segment it stands in", () => {
    expect(filled("https://a.example/v1/{id}", { id: ".." })).toMatch(/^refused: \/id/);
    expect(filled("https://a.example/v1/{id}", { id: "" })).toMatch(/^refused: \/id/);
    expect(filled("https://a.example/v1/.{id}", { id: "." })).toMatch(/^refused/);
    expect(filled("https://a.example/v1/{a}{b}/x", { a: ".", b: "." })).toMatch(/^refused/);
    expect(filled("https://a.example/v1/%2e{id}", { id: "." })).toMatch(/^refused/);
    expect(filled("https://a.example/v1?q={q}", { q: "" })).toBe("https://a.example/v1?q=");
  });

  it("takes only plain values, and only own ones", () => {
    for (const id of [null, undefined, {}, ["a"], () => 1]) {
      expect(filled("https://a.example/{id}", { id })).toMatch(/^refused: \/id/);
    }
    expect(filled("https://a.example/{toString}", {})).toMatch(/^refused: \/toString/);
  });

  it("never leaves the origin or the number of segments, whatever the argument", () => {
    const parsed = template("https://a.example/v1/{id}/items?q={q}");
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (id, q) => {
        const url = parsed.expand({ id, q });
        const kept =
          !(url instanceof URL) ||
          (/^https:\/\/a\.example\/v1\/[^/]+\/items\?q=[^&#]*$/.test(url.href) &&
            url.searchParams.get("q") === q.toWellFormed());
        expect(kept).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
