/**
 * The text of a PDF, page by page in reading order as the file has it. Lines follow from where text
 * is placed; pictures, and pages that were scanned, hold none.
 *
 * @source ISO 32000-1:2008, 7.7.3 (page tree), 9.4 (text objects).
 */
import { PdfFile } from "./pdf-file.ts";
import { fontOf, plainFont, type Font } from "./pdf-font.ts";
import { Bytes, Name, Reader, Word, type Dict, type Value } from "./pdf-syntax.ts";

const MOST_PAGES = 5000;
const MOST_UNITS = 4_000_000;
const DEEPEST = 8;
/** To draw a form is about as much work as to read so many characters. */
const DRAW_UNITS = 64;
const DEEPEST_PAGE = 100;

/** @returns Markdown: a heading `Page n` for each page that holds text. @throws BrokenPdf */
export async function textOfPdf(bytes: Uint8Array): Promise<string> {
  const file = await PdfFile.open(bytes);
  const fonts = new Map<Dict, Font>();
  const out: string[] = [];
  let units = 0;
  for (const [n, page] of pagesOf(file).entries()) {
    const writing = new Writing();
    for (const data of await contentsOf(file, page.get("Contents"))) {
      await write(file, fonts, data, resourcesOf(file, page), writing, 0);
    }
    const text = writing.text();
    units += text.length;
    if (text !== "") out.push(`# Page ${n + 1}\n\n${text}`);
    if (units > MOST_UNITS) break;
  }
  return out.join("\n\n");
}

/** From the catalogue's tree; from all there are, when that leads nowhere. */
function pagesOf(file: PdfFile): readonly Dict[] {
  const all = [...file.dicts()];
  const catalogue = all.findLast((dict) => file.nameOf(dict.get("Type")) === "Catalog");
  const pages: Dict[] = [];
  const seen = new Set<Dict>();
  const walk = (value: Value | undefined, depth: number): void => {
    const node = file.dict(value);
    if (!node || seen.has(node) || pages.length >= MOST_PAGES || depth > DEEPEST_PAGE) return;
    seen.add(node);
    if (node.has("Kids")) for (const kid of file.list(node.get("Kids"))) walk(kid, depth + 1);
    else pages.push(node);
  };
  walk(catalogue?.get("Pages"), 0);
  if (pages.length > 0) return pages;
  return all.filter((dict) => file.nameOf(dict.get("Type")) === "Page").slice(0, MOST_PAGES);
}

/** A page's own, or those of what it stands under. */
function resourcesOf(file: PdfFile, page: Dict): Dict | undefined {
  let node: Dict | undefined = page;
  for (let i = 0; node !== undefined && i < 30; i += 1) {
    const own = file.dict(node.get("Resources"));
    if (own) return own;
    node = file.dict(node.get("Parent"));
  }
  return undefined;
}

async function contentsOf(file: PdfFile, value: Value | undefined): Promise<readonly string[]> {
  const one = await file.data(value);
  if (one !== undefined) return [one];
  const parts: string[] = [];
  for (const it of file.list(value)) {
    file.spend(1);
    parts.push((await file.data(it)) ?? "");
  }
  // The parts are one stream: an operator may stand across two of them.
  return [parts.join("\n")];
}

/** Carry out what of a content stream places text. */
async function write(
  file: PdfFile,
  fonts: Map<Dict, Font>,
  data: string,
  resources: Dict | undefined,
  writing: Writing,
  depth: number,
): Promise<void> {
  const reader = new Reader(data);
  let held: Value[] = [];
  for (let value = reader.next(); value !== undefined; value = reader.next()) {
    if (!(value instanceof Word)) {
      held.push(value);
      if (held.length > 1000) held = [];
      continue;
    }
    const { word } = value;
    const [first] = held;
    const name = first instanceof Name ? first.name : "";
    if (word === "Tf") {
      const dict = file.dict(file.dict(resources?.get("Font"))?.get(name));
      writing.font = dict ? (fonts.get(dict) ?? (await fontOf(file, dict))) : plainFont;
      if (dict) fonts.set(dict, writing.font);
      writing.size = typeof held[1] === "number" ? Math.abs(held[1]) : 1;
    } else if (word === "Do" && depth < DEEPEST) {
      const target = file.dict(resources?.get("XObject"))?.get(name);
      const form = file.dict(target);
      file.spend(DRAW_UNITS);
      if (form && file.nameOf(form.get("Subtype")) === "Form") {
        const own = file.dict(form.get("Resources")) ?? resources;
        await write(file, fonts, (await file.data(target)) ?? "", own, writing, depth + 1);
      }
    } else if (word === "ID") {
      const end = /[\0\t\n\f\r ]EI[\0\t\n\f\r ]/g;
      end.lastIndex = reader.at;
      reader.at = end.exec(data) ? end.lastIndex : data.length;
    } else writing.carryOut(word, held);
    held = [];
  }
}

/** Text that is so far from what is before it, in sizes of its font, is another word. */
const WORD_GAP = 0.15;

/** The text of a page as it comes about: characters, and where they stand. */
class Writing {
  font: Font = plainFont;
  size = 1;
  readonly #out: string[] = [];
  /** Where the line began and where its text has come to, in units of the text's own space. */
  #x = 0;
  #y = 0;
  #pen = 0;
  /** Of that space: how large, and where on the page. */
  #scale = 1;
  #left = 0;
  #bottom = 0;
  /** Where on the page the last text ended. */
  #last: { readonly right: number; readonly bottom: number } | undefined;
  #leading = 0;
  #units = 0;

  carryOut(word: string, held: readonly Value[]): void {
    const numbers = held.filter((it) => typeof it === "number");
    const [x = 0, y = 0] = numbers;
    if (word === "Tj") this.#show(held[0]);
    else if (word === "TJ") this.#spaced(held[0]);
    else if (word === "'" || word === '"') {
      this.#move(0, -this.#leading);
      this.#show(held.at(-1));
    } else if (word === "T*") this.#move(0, -this.#leading);
    else if (word === "TL") this.#leading = x;
    else if (word === "Td" || word === "TD") {
      if (word === "TD") this.#leading = -y;
      this.#move(x, y);
    } else if (word === "Tm" || word === "BT") this.#place(word === "Tm" ? numbers : []);
  }

  text(): string {
    return (
      this.#out
        .join("")
        .replaceAll(/[\ufb00-\ufb06]/g, (ligature) => ligature.normalize("NFKC"))
        .replaceAll(/[^\P{Cc}\t\n]/gu, "")
        .replaceAll(/[ \t\u00a0]+/g, " ")
        .replaceAll(/ ?\n ?/g, "\n")
        .replaceAll(/\n{3,}/g, "\n\n")
        // A word that was broken at the end of a line.
        .replaceAll(/(\p{Ll})-\n(\p{Ll})/gu, "$1$2")
        .trim()
    );
  }

  #move(x: number, y: number): void {
    this.#x += x;
    this.#y += y;
    this.#pen = this.#x;
  }

  /** A matrix of its own; without one, the page's. */
  #place([a = 1, b = 0, , , e = 0, f = 0]: readonly number[]): void {
    this.#scale = Math.hypot(a, b) || 1;
    this.#left = e;
    this.#bottom = f;
    this.#x = 0;
    this.#y = 0;
    this.#pen = 0;
  }

  #show(value: Value | undefined): void {
    if (!(value instanceof Bytes)) return;
    this.#separate();
    if (this.#units > MOST_UNITS) return;
    const shown = this.font.text(value.bytes);
    this.#units += shown.length;
    this.#out.push(shown);
    this.#pen += (this.font.width(value.bytes) / 1000) * this.size;
    this.#last = { right: this.#left + this.#pen * this.#scale, bottom: this.#height() };
  }

  /** Pieces, and how far the next is moved to the left, in thousandths of the size. */
  #spaced(value: Value | undefined): void {
    if (!Array.isArray(value)) return;
    for (const piece of value as readonly Value[]) {
      if (typeof piece === "number") this.#pen -= (piece / 1000) * this.size;
      else this.#show(piece);
    }
  }

  #height(): number {
    return this.#bottom + this.#y * this.#scale;
  }

  /** What stands between the last text and the one that comes: nothing, a space, a line, or more. */
  #separate(): void {
    const last = this.#last;
    if (last === undefined) return;
    const size = this.size * this.#scale;
    const down = Math.abs(last.bottom - this.#height());
    const gap = this.#left + this.#pen * this.#scale - last.right;
    if (down > 1.9 * size) this.#out.push("\n\n");
    else if (down > 0.4 * size) this.#out.push("\n");
    else if (gap > WORD_GAP * size || gap < -size) this.#out.push(" ");
  }
}
