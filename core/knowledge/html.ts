/**
 * The text of an HTML page, as Markdown as far as passages need it: headings, paragraphs, list
 * items. A single pass over the characters, because pages come from anybody.
 */

/** Nothing in them is text of the page. */
const SKIPPED = new Set([
  "script",
  "style",
  "noscript",
  "template",
  "svg",
  "math",
  "iframe",
  "head",
]);
/** They end a line; others stand inside one. */
const BLOCKS = new Set(
  `address article aside blockquote body br dd div dl dt fieldset figcaption figure footer form h1 h2
  h3 h4 h5 h6 header hr html li main nav ol option p pre section table tbody td tfoot th thead title tr
  ul`.split(/\s+/),
);
const ENTITIES: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: " ",
  shy: "",
  ndash: "–",
  mdash: "—",
  hellip: "…",
  lsquo: "‘",
  rsquo: "’",
  ldquo: "“",
  rdquo: "”",
  laquo: "«",
  raquo: "»",
  bull: "•",
  middot: "·",
  copy: "©",
  reg: "®",
  trade: "™",
  euro: "€",
  pound: "£",
  sect: "§",
  deg: "°",
  times: "×",
  auml: "ä",
  ouml: "ö",
  uuml: "ü",
  Auml: "Ä",
  Ouml: "Ö",
  Uuml: "Ü",
  szlig: "ß",
  eacute: "é",
  egrave: "è",
  agrave: "à",
  ccedil: "ç",
  ntilde: "ñ",
};

export function textOfHtml(html: string): string {
  const out: string[] = [];
  let at = 0;
  while (at < html.length) {
    const open = html.indexOf("<", at);
    if (open === -1) {
      out.push(flowing(html.slice(at)));
      break;
    }
    out.push(flowing(html.slice(at, open)));
    at = afterMarkup(html, open, out);
  }
  return tidy(out.join(""));
}

/** Pass over what begins at `open`, saying what it means for the text. @returns where to go on */
function afterMarkup(html: string, open: number, out: string[]): number {
  if (html.startsWith("<!--", open)) return behind(html, "-->", open + 4);
  const tag = /^<(\/?)([A-Za-z][A-Za-z0-9:-]{0,40})/.exec(html.slice(open, open + 48));
  if (tag === null) {
    // A sign of its own, or a declaration.
    if (!/[!?/]/.test(html.charAt(open + 1))) out.push("<");
    return /[!?/]/.test(html.charAt(open + 1)) ? behind(html, ">", open + 1) : open + 1;
  }
  const [, slash, written = ""] = tag;
  const name = written.toLowerCase();
  const end = tagEnd(html, open);
  const closing = slash === "/";
  if (SKIPPED.has(name) && !closing && html.charAt(end - 2) !== "/") {
    const close = indexOfClosing(html, name, end);
    return close === -1 ? html.length : behind(html, ">", close);
  }
  if (BLOCKS.has(name)) out.push(blockMark(name, closing));
  return end;
}

function blockMark(name: string, closing: boolean): string {
  if (/^h[1-6]$/.test(name)) return closing ? "\n\n" : `\n\n${"#".repeat(Number(name.charAt(1)))} `;
  if (name === "li") return closing ? "\n" : "\n- ";
  if (name === "td" || name === "th") return closing ? " | " : "";
  return name === "br" || name === "tr" ? "\n" : "\n\n";
}

/** Behind the `>` that ends the tag: one in quotes does not. */
function tagEnd(html: string, open: number): number {
  let quote = "";
  for (let i = open + 1; i < html.length; i += 1) {
    const c = html.charAt(i);
    if (quote !== "") quote = c === quote ? "" : quote;
    else if (c === '"' || c === "'") quote = c;
    else if (c === ">") return i + 1;
  }
  return html.length;
}

function indexOfClosing(html: string, name: string, from: number): number {
  const wanted = `</${name}`;
  for (let i = html.indexOf("</", from); i !== -1; i = html.indexOf("</", i + 2)) {
    if (html.slice(i, i + wanted.length).toLowerCase() === wanted) return i;
  }
  return -1;
}

function behind(html: string, end: string, from: number): number {
  const at = html.indexOf(end, from);
  return at === -1 ? html.length : at + end.length;
}

/** Text between tags: white space is one space, entities are what they stand for. */
function flowing(text: string): string {
  return text
    .replaceAll(/[\t\n\f\r ]+/g, " ")
    .replaceAll(/&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,8});/g, meant);
}

function meant(entity: string): string {
  const name = entity.slice(1, -1);
  if (!name.startsWith("#")) {
    return (Object.hasOwn(ENTITIES, name) ? ENTITIES[name] : undefined) ?? entity;
  }
  const code = Number(name.slice(1).replace(/^[xX]/, "0x"));
  const real = code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
  return real ? String.fromCodePoint(code) : "\ufffd";
}

function tidy(text: string): string {
  return text
    .replaceAll("\u00a0", " ")
    .replaceAll(/ +/g, " ")
    .replaceAll(/ ?\n ?/g, "\n")
    .replaceAll(/\n{3,}/g, "\n\n")
    .trim();
}
