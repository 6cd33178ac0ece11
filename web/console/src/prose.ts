/**
 * The little of Markdown that answers are written in: paragraphs, headings, lists, quotes, fenced
 * code, `code`, **strong**, *emphasis* and links. Everything else stays the text it is.
 *
 * Never fails and never yields markup: a tree that the page renders as text nodes, so a model's
 * answer cannot become HTML. Half a construct (an answer still streaming) reads as text.
 */
export type Inline = {
  readonly kind: "text" | "code" | "strong" | "emphasis" | "link";
  /** Where in its block it begins: its identity while the text grows. */
  readonly at: number;
  readonly text: string;
  /** Of a link, else absent. */
  readonly href?: string;
};

export type Item = { readonly at: number; readonly content: readonly Inline[] };

/** `at` is the line a block begins in. */
export type Block = { readonly at: number } & (
  | { readonly kind: "paragraph" | "heading" | "quote"; readonly content: readonly Inline[] }
  | { readonly kind: "code"; readonly text: string }
  | { readonly kind: "list"; readonly ordered: boolean; readonly items: readonly Item[] }
);

const FENCE = /^ {0,3}(```+|~~~+)/;
const HEADING = /^#{1,6} +(.*)$/;
const QUOTE = /^> ?(.*)$/;
const ITEM = /^ {0,3}([-*•]|\d{1,3}[.)]) +(.*)$/;

export function parseProse(source: string): readonly Block[] {
  const blocks: Block[] = [];
  const lines = source.replaceAll("\r\n", "\n").split("\n");
  for (let at = 0; at < lines.length;) {
    const line = lines[at] ?? "";
    const rest = lines.slice(at);
    if (line.trim() === "") {
      at += 1;
    } else if (FENCE.test(line)) {
      const closing = rest.findIndex((next, index) => index > 0 && FENCE.test(next));
      const end = closing === -1 ? rest.length : closing;
      blocks.push({ at, kind: "code", text: rest.slice(1, end).join("\n") });
      at += end + 1;
    } else if (HEADING.test(line)) {
      blocks.push({ at, kind: "heading", content: parseInline(HEADING.exec(line)?.[1] ?? "") });
      at += 1;
    } else if (QUOTE.test(line)) {
      const quoted = takeWhile(rest, (next) => QUOTE.test(next));
      const text = quoted.map((next) => QUOTE.exec(next)?.[1] ?? "").join("\n");
      blocks.push({ at, kind: "quote", content: parseInline(text) });
      at += quoted.length;
    } else if (ITEM.test(line)) {
      const listed = takeWhile(rest, (next) => ITEM.test(next) || /^ {2,}\S/.test(next));
      blocks.push(list(at, listed));
      at += listed.length;
    } else {
      const spoken = takeWhile(rest, (next) => next.trim() !== "" && !opensBlock(next));
      blocks.push({ at, kind: "paragraph", content: parseInline(spoken.join("\n")) });
      at += spoken.length;
    }
  }
  return blocks;
}

const INLINE =
  /(`+)(?<code>[^`]+)\1|\*\*(?<strong>[^*\n]+)\*\*|(?<![\w*])\*(?<emphasis>[^*\s](?:[^*\n]*[^*\s])?)\*(?![\w*])|\[(?<text>[^\]\n]+)\]\((?<target>https?:\/\/[^\s()]+)\)|(?<url>https?:\/\/[^\s<>()"']*[^\s<>()"'.,;:!?])/g;

function parseInline(source: string): readonly Inline[] {
  const parts: Inline[] = [];
  let at = 0;
  for (const match of source.matchAll(INLINE)) {
    if (match.index > at) parts.push({ kind: "text", at, text: source.slice(at, match.index) });
    parts.push({ at: match.index, ...inline(match[0], match.groups ?? {}) });
    at = match.index + match[0].length;
  }
  if (at < source.length) parts.push({ kind: "text", at, text: source.slice(at) });
  return parts;
}

type Found = Readonly<Record<string, string | undefined>>;

function inline(whole: string, found: Found): Omit<Inline, "at"> {
  const { code, strong, emphasis, text, target, url } = found;
  if (code !== undefined) return { kind: "code", text: code };
  if (strong !== undefined) return { kind: "strong", text: strong };
  if (emphasis !== undefined) return { kind: "emphasis", text: emphasis };
  if (target !== undefined) return { kind: "link", text: text ?? target, href: target };
  return url === undefined ? { kind: "text", text: whole } : { kind: "link", text: url, href: url };
}

function opensBlock(line: string): boolean {
  return FENCE.test(line) || HEADING.test(line) || QUOTE.test(line) || ITEM.test(line);
}

function list(at: number, lines: readonly string[]): Block {
  const items: string[] = [];
  for (const line of lines) {
    const item = ITEM.exec(line)?.[2];
    if (item === undefined) items.push(`${items.pop() ?? ""}\n${line.trim()}`);
    else items.push(item);
  }
  return {
    at,
    kind: "list",
    ordered: /^ {0,3}\d/.test(lines[0] ?? ""),
    items: items.map((item, index) => ({ at: index, content: parseInline(item) })),
  };
}

/** At least the first line, so that reading always moves on. */
function takeWhile(lines: readonly string[], test: (line: string) => boolean): readonly string[] {
  const end = lines.findIndex((line, index) => index > 0 && !test(line));
  return end === -1 ? lines : lines.slice(0, end);
}
