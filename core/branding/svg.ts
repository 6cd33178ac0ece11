/**
 * An SVG that can only be looked at.
 *
 * V1  It is parsed here and written anew: nothing that this parser did not understand is kept.
 * V2  Elements and attributes are an allow-list. What could run, load, or draw something else than
 *     it says (scripts, handlers, style sheets, images, links, animation, copies) is refused by
 *     name; what only decorates the file (metadata, editors' attributes) is left out.
 * V3  References lead nowhere but into the document: `#id`, `url(#id)`.
 * V4  No DTD, no entities but XML's five and numbers, no processing instructions, no CDATA.
 *
 * @source SVG 2 §5, §12; the XML of it is XML 1.0 without §2.8's internal subset.
 */
import { attributeOf, styleAttributes } from "./svg-attributes.ts";

export type SafeSvg =
  | { readonly ok: true; readonly svg: string }
  | { readonly ok: false; readonly fault: string };

const DRAWN: ReadonlySet<string> = new Set([
  "svg",
  "g",
  "defs",
  "path",
  "rect",
  "circle",
  "ellipse",
  "line",
  "polyline",
  "polygon",
  "text",
  "tspan",
  "linearGradient",
  "radialGradient",
  "stop",
  "clipPath",
  "mask",
  "title",
  "desc",
]);
/** Left out with all they hold. A prefix is an editor's own. */
const DECORATION = /^(?:metadata|[A-Za-z]+:[A-Za-z_-]+)$/;

const MAX_ELEMENTS = 5000;
const MAX_DEPTH = 40;

const OPEN = /<([A-Za-z][A-Za-z0-9:_-]*)/y;
const CLOSE = /<\/([A-Za-z][A-Za-z0-9:_-]*)\s*>/y;
const ATTRIBUTE = /\s+([A-Za-z_][A-Za-z0-9:._-]*)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/y;
const END = /\s*(\/?)>/y;
const DECLARATION = /^\uFEFF?\s*<\?xml\s[^<>?]{0,200}\?>/;
const ENTITY = /&(?:(amp|lt|gt|quot|apos)|#([0-9]{1,7})|#x([0-9a-fA-F]{1,6}));|&/g;
const NAMED: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
};
/** XML 1.0 §2.2, without what only hides. */
const ODD = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u;

/** Thrown inside this module alone. */
class Fault extends Error {}

/** @param text  The file as UTF-8 text. */
export function safeSvg(text: string): SafeSvg {
  try {
    return { ok: true, svg: new Rewriter(text).run() };
  } catch (error) {
    if (error instanceof Fault) return { ok: false, fault: error.message };
    throw error;
  }
}

type Element = { readonly name: string; readonly kept: boolean };

class Rewriter {
  readonly #text: string;
  readonly #out: string[] = [];
  readonly #open: Element[] = [];
  #at = 0;
  #elements = 0;

  constructor(text: string) {
    if (ODD.test(text)) throw new Fault("holds characters that XML has not");
    this.#text = text.replace(DECLARATION, "").replace(/^\uFEFF/, "");
  }

  run(): string {
    while (this.#at < this.#text.length) this.#next();
    if (this.#open.length > 0) throw new Fault("ends inside an element");
    if (this.#elements === 0) throw new Fault("is no SVG");
    return this.#out.join("");
  }

  #next(): void {
    if (this.#text.startsWith("<!--", this.#at)) this.#comment();
    else if (this.#text.startsWith("</", this.#at)) this.#close();
    else if (this.#text.startsWith("<", this.#at)) this.#element();
    else this.#characters();
  }

  #comment(): void {
    const end = this.#text.indexOf("-->", this.#at + 4);
    if (end === -1) throw new Fault("ends inside a comment");
    this.#at = end + 3;
  }

  #characters(): void {
    const next = this.#text.indexOf("<", this.#at);
    const end = next === -1 ? this.#text.length : next;
    const said = decoded(this.#text.slice(this.#at, end));
    this.#at = end;
    const within = this.#open.at(-1);
    if (within === undefined && said.trim() !== "")
      throw new Fault("holds text outside the drawing");
    if (within?.kept === true && SPOKEN.has(within.name)) this.#out.push(escaped(said));
  }

  #close(): void {
    const [whole, name] = this.#take(CLOSE) ?? [];
    const last = this.#open.pop();
    if (whole === undefined || last?.name !== name) throw new Fault("is not well-formed");
    if (last?.kept === true) this.#out.push(`</${name}>`);
  }

  #element(): void {
    const [, name] = this.#take(OPEN) ?? [];
    if (name === undefined) throw new Fault("holds a DTD, an instruction or broken markup");
    const first = this.#elements === 0;
    if (first && name !== "svg") throw new Fault("is no SVG");
    if (!first && this.#open.length === 0) throw new Fault("holds more than one drawing");
    this.#elements += 1;
    if (this.#elements > MAX_ELEMENTS) throw new Fault(`has more than ${MAX_ELEMENTS} elements`);
    if (this.#open.length >= MAX_DEPTH) throw new Fault(`is nested deeper than ${MAX_DEPTH}`);
    const parent = this.#open.at(-1);
    const wanted = (parent?.kept ?? true) && !DECORATION.test(name);
    if (wanted && !DRAWN.has(name)) throw new Fault(`holds <${name}>, which is not allowed`);
    const attributes = this.#attributes();
    const [ended, slash] = this.#take(END) ?? [];
    if (ended === undefined) throw new Fault("is not well-formed");
    if (wanted) this.#begin(name, attributes, first, slash === "/");
    if (slash !== "/") this.#open.push({ name, kept: wanted });
  }

  #attributes(): ReadonlyMap<string, string> {
    const found = new Map<string, string>();
    for (;;) {
      const [whole, name, one, other] = this.#take(ATTRIBUTE) ?? [];
      if (whole === undefined || name === undefined) return found;
      if (found.has(name)) throw new Fault("is not well-formed");
      found.set(name, decoded(one ?? other ?? ""));
    }
  }

  #begin(name: string, given: ReadonlyMap<string, string>, first: boolean, empty: boolean): void {
    const kept = new Map<string, string>();
    for (const [attribute, value] of given) {
      const made = attribute === "style" ? styleAttributes(value) : attributeOf(attribute, value);
      if (made.refused) throw new Fault(`holds the attribute ${attribute}, which is not allowed`);
      for (const [as, what] of made.kept) kept.set(as, what);
    }
    if (first) kept.set("xmlns", "http://www.w3.org/2000/svg");
    const attributes = [...kept].map(([as, value]) => ` ${as}="${escaped(value)}"`).join("");
    this.#out.push(`<${name}${attributes}${empty ? "/" : ""}>`);
  }

  /** What matches right here, and past it. */
  #take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match !== null) this.#at = pattern.lastIndex;
    return match;
  }
}

/** Whose text is shown or read out. */
const SPOKEN: ReadonlySet<string> = new Set(["text", "tspan", "title", "desc"]);

function decoded(text: string): string {
  const plain = text.replaceAll(ENTITY, (_whole, named, decimal, hex) => {
    if (named !== undefined) return NAMED[named] ?? "";
    if (decimal === undefined && hex === undefined) throw new Fault("holds an unknown entity");
    const point = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
    if (point > 0x10_ff_ff) throw new Fault("holds an unknown entity");
    return String.fromCodePoint(point);
  });
  if (ODD.test(plain)) throw new Fault("holds characters that XML has not");
  return plain;
}

function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
