import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRedactor } from "./redact.ts";

const VALUE = 's3cr/t+va lue&<é>"x';

const utf8 = (text: string) => String.fromCharCode(...new TextEncoder().encode(text));

describe("F191: redaction", () => {
  const { text } = createRedactor([VALUE]);

  it.each([
    ["as it is", `Bearer ${VALUE}!`],
    ["in JSON", JSON.stringify({ authorization: `Bearer ${VALUE}` })],
    ["in a URL", `https://a.test/?q=${encodeURIComponent(VALUE)}`],
    ["in a form", new URLSearchParams({ q: VALUE }).toString().replaceAll("%22", "%22")],
    [
      "in HTML",
      `<p>${VALUE.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")}</p>`,
    ],
    ["in hex", Buffer.from(VALUE).toString("hex")],
  ])("takes a value out %s", (_name, said) => {
    expect(text(said)).toContain("[redacted]");
    expect(text(said)).not.toContain("s3cr");
    expect(text(said)).not.toContain("73336372");
  });

  it.each(["", "a", "ab", "abc:"])("takes it out of base64 after %j", (before) => {
    for (const after of ["", "!", "!!", ":tail"]) {
      const said = btoa(utf8(before + VALUE + after));
      for (const form of [said, said.replaceAll("+", "-").replaceAll("/", "_")]) {
        const clean = text(`x ${form} y`);
        expect(clean).toContain("[redacted]");
        expect(clean.length).toBeLessThan(form.length);
      }
    }
  });

  it("leaves everything else, and values too short to be told from words", () => {
    const plain = "Nothing of it is here: s3cr, [redacted], é.";
    expect(text(plain)).toBe(plain);
    expect(createRedactor(["is", "abcde"]).text("this is abcde")).toBe("this is abcde");
    expect(createRedactor([]).text("a")).toBe("a");
  });

  it("of overlapping values takes the leftmost and longest", () => {
    const { text: clean } = createRedactor(["abcdef", "abcdefghij", "hijxyz1"]);
    expect(clean("-abcdefghijxyz1-abcdefg-")).toBe("-[redacted]xyz1-[redacted]g-");
  });

  it("treats pieces as it treats the whole, wherever they are cut", () => {
    const values = ["abcabd", "abcabdabc", "cabdab"];
    const { text: whole, pieces } = createRedactor(values);
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("a", "b", "c", "d", "ab", "abcabd", "abcabdabc", " "), {
          maxLength: 40,
        }),
        (parts) => {
          const flow = pieces();
          const told = parts.map((part) => flow.push(part)).join("") + flow.end();
          expect(told).toBe(whole(parts.join("")));
          for (const value of values) expect(told).not.toContain(value);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("holds back no more than what may be the beginning of a value", () => {
    const flow = createRedactor(["abcdefgh"]).pieces();
    expect(flow.push("Hello a")).toBe("Hello ");
    expect(flow.push("bcd")).toBe("");
    expect(flow.push("x, abcdefg")).toBe("abcdx, ");
    expect(flow.push("h.")).toBe("[redacted].");
    expect(flow.end()).toBe("");
  });
});
