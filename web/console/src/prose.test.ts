import { describe, expect, it } from "vitest";
import { parseProse, type Block } from "./prose.ts";

const ANSWER = `## Returns

You have **30 days**, see [the terms](https://acme.example/terms) or *ask*.
Second line with \`code\`.

1. Pack it
   well
2. Send it

> quoted
> twice

\`\`\`ts
const a = "**not strong**";

\`\`\`
After.`;

describe("parseProse", () => {
  it("reads headings, paragraphs, lists, quotes and fenced code", () => {
    const blocks = parseProse(ANSWER);
    expect(blocks.map((block) => block.kind)).toEqual([
      "heading",
      "paragraph",
      "list",
      "quote",
      "code",
      "paragraph",
    ]);
    expect(blocks[2]).toMatchObject({
      ordered: true,
      items: [{ content: [{ text: "Pack it\nwell" }] }, {}],
    });
    expect(blocks[4]).toMatchObject({ kind: "code", text: 'const a = "**not strong**";\n' });
  });

  it("loses no character of any prefix of an answer, so that streaming never swallows text", () => {
    const words = (text: string) => text.replaceAll(/[^\p{L}\p{N}]/gu, "");
    for (let end = 0; end <= ANSWER.length; end += 1) {
      const prefix = ANSWER.slice(0, end);
      const unfenced = prefix.replaceAll(/```\w*/g, "");
      const shown = words(parseProse(prefix).map(textOf).join(" "));
      // List numbers and link targets are shown by other means than text.
      const expected = words(unfenced.replaceAll(/^\d\. /gm, "").replace(/\]\([^)]*\)/, "]"));
      expect({ prefix, shown }).toEqual({ prefix, shown: expected });
    }
  });

  it("makes links of http addresses alone", () => {
    const [block] = parseProse("[x](javascript:alert(1)) and https://a.example/b?c=1.");
    expect(
      block?.kind === "paragraph" && block.content.filter((part) => part.kind === "link"),
    ).toMatchObject([
      { kind: "link", text: "https://a.example/b?c=1", href: "https://a.example/b?c=1" },
    ]);
  });

  it("leaves HTML the text it is", () => {
    const html = '<img src=x onerror="alert(1)">';
    expect(parseProse(html)).toMatchObject([
      { kind: "paragraph", content: [{ kind: "text", text: html }] },
    ]);
  });

  it("comes to an end on text made of nothing but openers", () => {
    const blocks = parseProse(`${"*".repeat(5000)}\n${"`".repeat(5000)}\n${"[".repeat(5000)}`);
    expect(blocks.length).toBeGreaterThan(0);
  });
});

function textOf(block: Block): string {
  if (block.kind === "code") return block.text;
  const content =
    block.kind === "list" ? block.items.flatMap((item) => item.content) : block.content;
  return content.map((part) => part.text).join(" ");
}
