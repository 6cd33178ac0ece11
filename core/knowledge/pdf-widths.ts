import { numberOf, type Dict, type Value } from "./pdf-syntax.ts";
import type { PdfFile } from "./pdf-file.ts";

/** Of a character whose font does not say. */
export const USUAL_WIDTH = 500;
const MOST_CODES = 70_000;
/** A code is about as much work as so many characters that are read. */
const CODE_UNITS = 8;

/**
 * How far bytes shown in a font go, in thousandths of its size.
 *
 * @source ISO 32000-1:2008, 9.2.4, 9.7.4.3 (composite fonts).
 */
export function widthsOf(file: PdfFile, dict: Dict): (bytes: string) => number {
  const inner = file.dict(file.list(dict.get("DescendantFonts"))[0]);
  const bytesOfCode = inner ? 2 : 1;
  const usual = file.resolve(inner?.get("DW"));
  const other = typeof usual === "number" ? usual : inner ? 1000 : USUAL_WIDTH;
  const widths = inner ? compositeWidths(file, inner) : simpleWidths(file, dict);
  return (bytes) => {
    let sum = 0;
    for (let i = 0; i < bytes.length; i += bytesOfCode) {
      sum += widths.get(numberOf(bytes.slice(i, i + bytesOfCode))) ?? other;
    }
    return sum;
  };
}

function simpleWidths(file: PdfFile, dict: Dict): ReadonlyMap<number, number> {
  const first = file.resolve(dict.get("FirstChar"));
  const from = typeof first === "number" ? first : 0;
  const widths = file.list(dict.get("Widths")).map((it) => file.resolve(it));
  file.spend(widths.length * CODE_UNITS);
  return new Map(
    widths.flatMap((width, n) => (typeof width === "number" ? [[from + n, width] as const] : [])),
  );
}

/** `[c [w1 w2 …]]` from a code on, `[c1 c2 w]` for a range. */
function compositeWidths(file: PdfFile, inner: Dict): ReadonlyMap<number, number> {
  const widths = new Map<number, number>();
  const list = file.list(inner.get("W")).map((it) => file.resolve(it));
  file.spend(list.length * CODE_UNITS);
  for (let i = 0; i + 1 < list.length;) {
    const [from, next, width] = [list[i], list[i + 1], list[i + 2]];
    if (typeof from !== "number") break;
    if (Array.isArray(next)) {
      file.spend(next.length * CODE_UNITS);
      for (const [n, it] of (next as readonly Value[]).entries()) {
        if (typeof it === "number") widths.set(from + n, it);
      }
      i += 2;
    } else {
      const to = typeof next === "number" ? Math.min(next, from + 0xffff) : from;
      file.spend(Math.max(0, to - from) * CODE_UNITS);
      for (let code = from; code <= to && widths.size < MOST_CODES; code += 1) {
        if (typeof width === "number") widths.set(code, width);
      }
      i += 3;
    }
  }
  return widths;
}
