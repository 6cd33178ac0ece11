/** Documents become passages: Markdown, HTML and PDF. */
import fc from "fast-check";
import { deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { textOfHtml } from "./html.ts";
import { cutPassages } from "./passages.ts";
import { BrokenPdf } from "./pdf-file.ts";
import { textOfPdf } from "./pdf.ts";
import { readDocument } from "./read.ts";

describe("passages", () => {
  it("stay under their headings and are named by them", () => {
    const text =
      "Intro.\n\n# A\n\nOne.\n\nTwo.\n\n## B\nThree.\n```\n# no heading\n```\n# C #\nFour.";
    expect(cutPassages(text)).toEqual([
      { place: "", text: "Intro." },
      { place: "A", text: "One.\n\nTwo." },
      { place: "A › B", text: "Three.\n```\n# no heading\n```" },
      { place: "C", text: "Four." },
    ]);
  });

  it("lose no character but white space, and none is too long", () => {
    fc.assert(
      fc.property(fc.array(fc.lorem({ maxCount: 400 }), { maxLength: 12 }), (paragraphs) => {
        const cuts = cutPassages(paragraphs.join("\n\n"));
        const bare = (text: string) => text.replaceAll(/\s/g, "");
        expect(bare(cuts.map(({ text }) => text).join(""))).toBe(bare(paragraphs.join("")));
        for (const { text } of cuts) expect(text.length).toBeLessThanOrEqual(2000);
      }),
    );
  });

  it("a word of a megabyte is cut too, and no character is cut in half", () => {
    const cuts = cutPassages("😀".repeat(100_000));
    expect(cuts.every(({ text }) => text.isWellFormed() && text.length <= 2000)).toBe(true);
    expect(cuts.map(({ text }) => text).join("")).toBe("😀".repeat(100_000));
  });
});

describe("HTML", () => {
  it("is its text: headings, lists and entities, without scripts and styles", () => {
    const html = `<!doctype html><html><head><title>T</title><style>p{}</style></head><body>
      <h1>Returns &amp; refunds</h1><p>Within&nbsp;30 days,<br>as <b>new</b>.</p>
      <script>if (a < b) alert("<p>no</p>")</script><!-- <p>no</p> -->
      <ul><li>shoes</li><li>Gr&ouml;&szlig;e &#8364; &#x1F600;</li></ul>
      <p title="a > b">3 < 4 &unknown;</p></body></html>`;
    expect(textOfHtml(html)).toBe(
      "# Returns & refunds\n\nWithin 30 days,\nas new.\n\n- shoes\n\n- Größe € 😀\n\n3 < 4 &unknown;",
    );
  });

  it("G14: spaces between tags are one, however many", () => {
    expect(textOfHtml(`a${" <b>".repeat(200_000)}${"&nbsp;".repeat(200_000)}b`)).toBe("a b");
  });

  it.each(["<", "<p", "<script>", "<!--", "&#99999999;&#xD800;&valueOf;", '<a href="'])(
    "G14: %j is read to its end",
    (html) => {
      expect(textOfHtml(html.repeat(2000)).isWellFormed()).toBe(true);
    },
  );
});

const latin1 = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));
const stream = (dict: string, data: string) =>
  `<< ${dict} /Length ${data.length} >>\nstream\n${data}\nendstream`;
const packed = (data: string) => deflateSync(latin1(data)).toString("latin1");

/** A file of these objects, numbered from 1; no cross-reference table, as in many a broken file. */
function pdf(...objects: readonly string[]): Uint8Array {
  const body = objects.map((object, n) => `${n + 1} 0 obj\n${object}\nendobj`).join("\n");
  return latin1(`%PDF-1.7\n${body}\ntrailer << /Root 1 0 R >>\n%%EOF`);
}

const TREE = [
  "<< /Type /Catalog /Pages 2 0 R >>",
  "<< /Type /Pages /Kids [3 0 R 4 0 R] /Count 2 /Resources << /Font << /F1 5 0 R /F2 6 0 R >> >> >>",
] as const;

function twoPages(first: string, second: string, more: readonly string[] = []): Uint8Array {
  return pdf(
    ...TREE,
    "<< /Type /Page /Parent 2 0 R /Contents 7 0 R >>",
    "<< /Type /Page /Parent 2 0 R /Contents [8 0 R] >>",
    "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    "<< /Type /Font /Subtype /Type0 /Encoding /Identity-H /ToUnicode 9 0 R >>",
    stream("", first),
    stream("/Filter /FlateDecode", packed(second)),
    stream(
      "",
      `1 begincodespacerange <0000> <FFFF> endcodespacerange 2 beginbfchar <0001> <0041> <0002>
       <00660069> endbfchar 1 beginbfrange <0010> <0012> <0061> endbfrange`,
    ),
    ...more,
  );
}

/** The first objects of a file with one page, whose fourth says `/F Do /F 1 Tf (a) Tj` often. */
function page(resources: string, contents = "4 0 R"): readonly string[] {
  return [
    "<< /Type /Catalog /Pages 2 0 R >>",
    "<< /Kids [3 0 R] >>",
    `<< /Type /Page /Contents ${contents} /Resources << ${resources} >> >>`,
    stream("", "/F 1 Tf (a) Tj /F Do ".repeat(20)),
  ];
}

/** A few kilobytes that would be 40 MB. */
const BOMB = pdf(
  ...TREE,
  "<< /Type /Page /Contents 5 0 R >>",
  "null",
  stream("/Filter /FlateDecode", deflateSync(Buffer.alloc(40 * 1024 * 1024)).toString("latin1")),
);

describe("PDF", () => {
  it("F78: is its text, page by page: packed streams, lines, spaces and fonts of their own", async () => {
    const first =
      "BT /F1 12 Tf 14 TL 72 700 Td (Returns \\(all\\)) Tj T* [(with) -20 (in) -300 (30 days)] TJ ET";
    const second = "BT /F2 9 Tf 1 0 0 1 72 600 Tm <000100020010> Tj 0 -40 Td <0011> Tj ET";
    expect(await textOfPdf(twoPages(first, second))).toBe(
      "# Page 1\n\nReturns (all)\nwithin 30 days\n\n# Page 2\n\nAfia\n\nb",
    );
  });

  it("finds objects inside object streams, and text inside forms", async () => {
    const font =
      "<< /Type /Font /Subtype /Type1 /Encoding << /Differences [1 /H /adieresis /uni00DF] >> >>";
    const page =
      "<< /Type /Page /Contents 10 0 R /Resources << /Font << /F 21 0 R >> /XObject << /X 11 0 R >> >> >>";
    const head = `20 0 21 ${page.length + 1} `;
    const bytes = pdf(
      "<< /Type /Catalog /Pages 2 0 R >>",
      "<< /Kids [20 0 R] >>",
      stream(
        `/Type /ObjStm /N 2 /First ${head.length} /Filter /FlateDecode`,
        packed(`${head}${page} ${font}`),
      ),
      "null",
      "null",
      "null",
      "null",
      "null",
      "null",
      stream("", "/X Do"),
      stream("/Subtype /Form", "BT /F 12 Tf (\\001\\002\\003) Tj ET"),
    );
    expect(await textOfPdf(bytes)).toBe("# Page 1\n\nHäß");
  });

  it.each([
    ["no PDF", latin1("hello")],
    ["an encrypted one", latin1("%PDF-1.7\ntrailer << /Encrypt 5 0 R >>")],
    ["a bomb", BOMB],
  ])("refuses %s", async (_name, bytes) => {
    await expect(textOfPdf(bytes)).rejects.toThrow(BrokenPdf);
  });

  it.each([
    [
      "forms that draw themselves",
      pdf(...page("/XObject << /F 5 0 R >>"), stream("/Subtype /Form", "/F Do ".repeat(30))),
    ],
    [
      "a stream that is a page a million times",
      pdf(...page("", `[${"5 0 R ".repeat(4000)}]`), stream("", " ".repeat(10_000))),
    ],
    [
      "ranges of codes, over and over",
      pdf(
        ...page("/Font << /F 6 0 R >>"),
        stream("", `1 beginbfrange ${"<0000> <ffff> <0041> ".repeat(100)} endbfrange`),
        "<< /ToUnicode 5 0 R >>",
      ),
    ],
    [
      "widths, over and over",
      pdf(
        ...page("/Font << /F 6 0 R >>"),
        `<< /W [${"0 65535 5 ".repeat(100)}] >>`,
        "<< /DescendantFonts [5 0 R] >>",
      ),
    ],
  ])("G14: refuses what is small and takes hours to read: %s", async (_name, bytes) => {
    await expect(textOfPdf(bytes)).rejects.toThrow("too laborious");
  });

  it("G14: a tree of pages deeper than any stack is left out", async () => {
    const kids = Array.from({ length: 60_000 }, (_, n) => `<< /Kids [${n + 3} 0 R] >>`);
    expect(await textOfPdf(pdf("<< /Type /Catalog /Pages 2 0 R >>", ...kids))).toBe("");
  });

  it("G14: what follows an object is not read for every object before it", async () => {
    expect(await textOfPdf(latin1(`%PDF-1.4\n${"9 0 obj<<>>(".repeat(100_000)}`))).toBe("");
  });

  it("G14: whatever stands in a file, it is read to an end", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary-ascii", maxLength: 300 }), async (text) => {
        await textOfPdf(
          latin1(`%PDF-1.4\n1 0 obj << /Type /Page /Contents 2 0 R >> 2 0 obj <<>>stream\n${text}`),
        );
      }),
    );
    const deep = twoPages(`${"[".repeat(100_000)} ${"<<".repeat(100_000)}`, "");
    expect(await textOfPdf(deep)).toBe("");
    const loop = pdf("<< /Type /Catalog /Pages 2 0 R >>", "<< /Kids [2 0 R 2 0 R] >>");
    expect(await textOfPdf(loop)).toBe("");
  });
});

describe("an upload", () => {
  const upload = { title: "Rules", media_type: "text/plain" } as const;

  it("is titled by where a passage stands", async () => {
    const { passages } = await readDocument({
      ...upload,
      media_type: "text/markdown",
      text: "# Returns\n\nWithin 30 days.",
    });
    expect(passages).toEqual([{ title: "Rules › Returns", text: "Within 30 days." }]);
  });

  it.each([
    ["no UTF-8", { ...upload, content: btoa("\xff\xfe") }],
    ["no text", { ...upload, text: " \n " }],
    ["no PDF", { ...upload, media_type: "application/pdf" as const, content: btoa("hello") }],
  ])("is refused with its place: %s", async (_name, document) => {
    await expect(readDocument(document)).rejects.toMatchObject({ code: "invalid" });
  });
});
