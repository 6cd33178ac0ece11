import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { contrast, mix } from "./colour.ts";
import type { Branding } from "./contract.ts";
import { brandingCss } from "./css.ts";
import { logoOf } from "./logo.ts";
import { paletteFaults, paletteOf } from "./palette.ts";
import { safeSvg } from "./svg.ts";

const colour = fc
  .integer({ min: 0, max: 0xff_ff_ff })
  .map((n) => `#${n.toString(16).padStart(6, "0")}`);
const PLAIN: Branding = { name: null, light: {}, dark: {}, logo: null, revision: 1 };

describe("colours", () => {
  it("F7: contrast is WCAG's", () => {
    expect(contrast("#000000", "#ffffff")).toBe(21);
    expect(contrast("#777777", "#ffffff")).toBeCloseTo(4.48, 2);
    expect(mix("#000000", "#ffffff", 0.5)).toBe("#808080");
  });

  it("F7: whatever is accepted can be read, in every pair the page makes of it", () => {
    const scheme = fc.constantFrom("light" as const, "dark" as const);
    fc.assert(
      fc.property(scheme, colour, colour, colour, (which, accent, ground, ink) => {
        const chosen = { accent, ground, ink };
        if (paletteFaults(which, chosen).length > 0) return;
        const made = paletteOf(which, chosen);
        const grounds = ["ground", "raised", "sunken"].map((name) => made[name] ?? "");
        for (const text of ["ink", "ink-soft", "ink-faint", "accent"]) {
          for (const on of grounds)
            expect(contrast(made[text] ?? "", on)).toBeGreaterThanOrEqual(4.5);
        }
        expect(contrast(made["on-accent"] ?? "", accent)).toBeGreaterThanOrEqual(4.5);
        expect(contrast(ink, made["accent-wash"] ?? "")).toBeGreaterThanOrEqual(4.5);
      }),
      { numRuns: 3000 },
    );
  });

  it("F7: says which colour cannot be read, and how far off it is", () => {
    expect(paletteFaults("light", { accent: "#ffd400" })).toEqual([
      { pointer: "/light/accent", detail: expect.stringMatching(/^accent has 1\.\d:1 .* 4\.5:1/) },
    ]);
    expect(paletteFaults("dark", { ground: "#ffffff" })).toMatchObject([
      { pointer: "/dark/ground" },
    ]);
    expect(paletteFaults("light", { accent: "#7a1fa2" })).toEqual([]);
    expect(paletteFaults("light", {})).toEqual([]);
  });
});

describe("the style sheet", () => {
  it("F7: is empty where nothing was chosen", () => {
    expect(brandingCss(PLAIN)).toBe("");
  });

  it("F7: says nothing of the scheme that was not chosen", () => {
    expect(brandingCss({ ...PLAIN, light: { accent: "#7a1fa2" } })).toMatch(
      /^@media \(prefers-color-scheme: light\) \{\n:root:root \{\n {2}--accent: #7a1fa2;/,
    );
    expect(brandingCss({ ...PLAIN, dark: { accent: "#68cdc3" } })).not.toContain("light");
  });

  it("F7: holds variables and nothing a name could add", () => {
    const name = '"; } body { background: url(//evil) } /*\\ Ünï';
    const css = brandingCss({ ...PLAIN, name, light: { accent: "#7a1fa2" } });
    expect(css).toContain("--accent: #7a1fa2;");
    expect(css).not.toMatch(/evil\)|body \{|\/\*/);
    expect(css.match(/[{}]/g)?.join("")).toBe("{}{{}}");
  });
});

const SVG = 'xmlns="http://www.w3.org/2000/svg"';
const drawn = (inner: string) => safeSvg(`<svg ${SVG} viewBox="0 0 1 1">${inner}</svg>`);

describe("F7: a drawing", () => {
  it("is kept as a drawing", () => {
    const inner = '<path d="M0 0h1" style="fill:#f00; cursor:pointer"/><title>A &amp; B</title>';
    expect(drawn(inner)).toEqual({
      ok: true,
      svg:
        '<svg viewBox="0 0 1 1" xmlns="http://www.w3.org/2000/svg">' +
        '<path d="M0 0h1" fill="#f00"/><title>A &amp; B</title></svg>',
    });
  });

  it("loses what editors write beside it", () => {
    const file = `<?xml version="1.0" encoding="UTF-8"?>\n<!-- made by -->\n<svg ${SVG} xmlns:inkscape="http://i" inkscape:version="1">
      <metadata><rdf:RDF><script>no</script></rdf:RDF></metadata><sodipodi:namedview pagecolor="x"/><g class="a" data-name="b" id="c"/></svg>`;
    const safe = safeSvg(file);
    expect(safe).toMatchObject({ ok: true });
    expect(JSON.stringify(safe)).not.toMatch(/inkscape|sodipodi|script|rdf|class|data-name/);
  });

  it.each([
    "<script>alert(1)</script>",
    "<SCRIPT/>",
    '<path onload="alert(1)"/>',
    '<path ONLOAD="alert(1)"/>',
    "<foreignObject><p/></foreignObject>",
    "<style>@import url(//evil)</style>",
    '<image href="https://evil.example/x.png"/>',
    '<image href="data:text/html,x"/>',
    '<use href="#a"/>',
    '<a href="javascript:alert(1)"><path/></a>',
    '<linearGradient href="https://evil.example/#a"/>',
    '<linearGradient xlink:href="jav&#97;script:x"/>',
    '<path fill="url(https://evil.example/#a)"/>',
    '<path fill="URL (//evil)"/>',
    '<path style="fill:url(//evil)"/>',
    '<path style="fill:\\75rl(//evil)"/>',
    '<animate attributeName="href" to="javascript:x"/>',
    '<set attributeName="onload" to="x"/>',
    "<iframe/>",
    "<handler/>",
    "<![CDATA[<script/>]]>",
    "<?xml-stylesheet href='//evil'?>",
    "&evil;",
    "&#0;",
    "&#x1FFFFF;",
    "<path",
    "<path d=1/>",
    '<path d="1" d="2"/>',
    "<g></path>",
    "</svg><svg>",
  ])("is refused with %s", (inner) => {
    expect(drawn(inner)).toMatchObject({ ok: false });
  });

  it("is refused when it is nested or cut up without end", () => {
    expect(drawn("<g>".repeat(50))).toMatchObject({ ok: false });
    expect(drawn("<g/>".repeat(6000))).toMatchObject({ ok: false });
  });

  it.each([
    "",
    "text",
    "<html/>",
    "<!DOCTYPE svg><svg/>",
    '<!DOCTYPE svg [<!ENTITY a "b">]><svg>&a;</svg>',
    "<svg/>trailing",
    "<svg>\u0000</svg>",
  ])("is none: %j", (file) => {
    expect(safeSvg(file)).toMatchObject({ ok: false });
  });

  it("never throws, never lets through what could run, and is stable when made safe again", () => {
    const piece = fc.constantFrom(
      "<g",
      ">",
      "</g>",
      "/>",
      "<script>",
      " onload=",
      '"x"',
      "'",
      "<!--",
      "-->",
      "&lt;",
      "&#60;script&#62;",
      "<text>",
      "</text>",
      ' href="#a"',
      ' href="//x"',
      " style=",
      "<![CDATA[",
      "]]>",
      "a",
      " ",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const safe = drawn(pieces.join(""));
        if (!safe.ok) return;
        expect(safe.svg).not.toMatch(/<script|<[^>]*\son\w+=|<!|href="\//i);
        expect(safeSvg(safe.svg)).toEqual(safe);
      }),
      { numRuns: 3000 },
    );
  });
});

describe("F7: a picture", () => {
  const bytes = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));
  it("is of the kind it says", () => {
    expect(logoOf("image/png", bytes("\x89PNG\r\n\x1a\n...."))).toMatchObject({
      type: "image/png",
    });
    expect(logoOf("image/webp", bytes("RIFF\x01\x02\x03\x04WEBPVP8 "))).toMatchObject({
      type: "image/webp",
    });
    for (const type of ["image/png", "image/jpeg", "image/webp", "image/svg+xml"] as const) {
      expect(logoOf(type, bytes("<html><script>alert(1)</script>"))).toHaveProperty("fault");
      expect(logoOf(type, new Uint8Array(0))).toHaveProperty("fault");
    }
    expect(logoOf("image/svg+xml", bytes("<svg>\xff</svg>"))).toHaveProperty("fault");
  });
});
