/**
 * From the codes of a font to characters: by its own table when it has one, else by its encoding.
 *
 * @source ISO 32000-1:2008, 9.6.6 (encodings), 9.10.3 (ToUnicode).
 */
import type { PdfFile } from "./pdf-file.ts";
import { glyph } from "./pdf-glyphs.ts";
import { Bytes, Name, numberOf, Reader, Word, type Dict, type Value } from "./pdf-syntax.ts";
import { USUAL_WIDTH, widthsOf } from "./pdf-widths.ts";

export type Font = {
  /** The characters that bytes shown in this font stand for. */
  readonly text: (bytes: string) => string;
  /** How far they go, in thousandths of the font's size. */
  readonly width: (bytes: string) => number;
};

type Decode = Font["text"];

const latin: Decode = (bytes) =>
  new TextDecoder("windows-1252").decode(Uint8Array.from(bytes, (c) => c.charCodeAt(0) & 255));

/** Without a font nothing but Latin can be meant. */
export const plainFont: Font = { text: latin, width: (bytes) => bytes.length * USUAL_WIDTH };

export async function fontOf(file: PdfFile, dict: Dict): Promise<Font> {
  return { text: await decodeOf(file, dict), width: widthsOf(file, dict) };
}

async function decodeOf(file: PdfFile, dict: Dict): Promise<Decode> {
  const table = await file.data(dict.get("ToUnicode"));
  const wide = file.nameOf(dict.get("Subtype")) === "Type0";
  if (table !== undefined) {
    const map = readTable(file, table);
    if (map.codes.size > 0) return mapped(map.codes, wide ? 2 : map.width, wide ? () => "" : latin);
  }
  // Glyphs of a font by their number, and nothing that says what they are.
  if (wide) return () => "";
  const differences = file.list(file.dict(dict.get("Encoding"))?.get("Differences"));
  return differences.length === 0 ? latin : mapped(differing(differences), 1, latin);
}

const MOST_CODES = 70_000;
/** Longest that one code stands for, in bytes: a ligature, an accent upon it. */
const MOST_OF_CODE = 32;
/** A code is about as much work as so many characters that are read. */
const CODE_UNITS = 8;

type Table = { readonly codes: ReadonlyMap<string, string>; readonly width: number };

function readTable(file: PdfFile, text: string): Table {
  const codes = new Map<string, string>();
  const reader = new Reader(text);
  let width = 1;
  let held: Value[] = [];
  for (let value = reader.next(); value !== undefined; value = reader.next()) {
    if (!(value instanceof Word)) {
      held.push(value);
      continue;
    }
    if (value.word === "endcodespacerange") width = widthOf(held);
    if (value.word === "endbfchar") readCharacters(held, codes);
    if (value.word === "endbfrange") readRanges(file, held, codes);
    held = [];
  }
  return { codes, width };
}

function widthOf([first]: readonly Value[]): number {
  return first instanceof Bytes && first.bytes.length === 2 ? 2 : 1;
}

function readCharacters(held: readonly Value[], codes: Map<string, string>): void {
  for (let i = 0; i + 1 < held.length && codes.size < MOST_CODES; i += 2) {
    const [code, text] = [held[i], held[i + 1]];
    if (code instanceof Bytes && text instanceof Bytes) codes.set(code.bytes, utf16(text.bytes));
  }
}

function readRanges(file: PdfFile, held: readonly Value[], codes: Map<string, string>): void {
  for (let i = 0; i + 2 < held.length; i += 3) {
    const [low, high, target] = [held[i], held[i + 1], held[i + 2]];
    if (!(low instanceof Bytes) || !(high instanceof Bytes)) continue;
    const from = numberOf(low.bytes);
    const to = Math.min(numberOf(high.bytes), from + 0xffff);
    file.spend(Math.max(0, to - from) * CODE_UNITS);
    for (let code = from; code <= to && codes.size < MOST_CODES; code += 1) {
      const text = Array.isArray(target)
        ? (target as readonly Value[])[code - from]
        : target instanceof Bytes
          ? advanced(target, code - from)
          : undefined;
      if (text instanceof Bytes)
        codes.set(bytesOf(code, Math.min(low.bytes.length, 4)), utf16(text.bytes));
    }
  }
}

function advanced({ bytes }: Bytes, by: number): Bytes {
  const head = bytes.slice(0, -2).slice(0, MOST_OF_CODE);
  return new Bytes(head + bytesOf((numberOf(bytes.slice(-2)) + by) & 0xffff, 2));
}

function mapped(codes: ReadonlyMap<string, string>, width: number, others: Decode): Decode {
  return (bytes) => {
    let out = "";
    for (let i = 0; i < bytes.length; i += width) {
      const code = bytes.slice(i, i + width);
      out += codes.get(code) ?? others(code);
    }
    return out;
  };
}

/** `[65 /A /B 97 /adieresis]`: names of glyphs from a code on. */
function differing(list: readonly Value[]): ReadonlyMap<string, string> {
  const codes = new Map<string, string>();
  let code = 0;
  for (const value of list) {
    if (typeof value === "number") code = value;
    if (!(value instanceof Name)) continue;
    const text = glyph(value.name);
    if (text !== undefined && code >= 0 && code <= 255) codes.set(String.fromCharCode(code), text);
    code += 1;
  }
  return codes;
}

function utf16(bytes: string): string {
  let out = "";
  for (let i = 0; i + 1 < Math.min(bytes.length, MOST_OF_CODE); i += 2) {
    out += String.fromCharCode(numberOf(bytes.slice(i, i + 2)));
  }
  return out.replaceAll("\0", "");
}

function bytesOf(code: number, length: number): string {
  let out = "";
  for (let i = length - 1; i >= 0; i -= 1)
    out += String.fromCharCode(Math.floor(code / 256 ** i) & 255);
  return out;
}
