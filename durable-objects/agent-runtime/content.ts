import type { Sql } from "./sql.ts";

/** UTF-16 units a column holds itself; at three bytes each well under the 2 MB row (DECISIONS 30). */
const INLINE_UNITS = 300_000;

/**
 * Text as a column keeps it: itself behind `=`, or, when too large for a row, a reference behind
 * `@` to chunk rows written in the same transaction.
 *
 * @param ref  Unique for this text: the invocation's id and what the text is.
 */
export function pack(sql: Sql, ref: string, text: string): string {
  if (text.length <= INLINE_UNITS) return `=${text}`;
  let n = 0;
  for (let start = 0; start < text.length; n += 1) {
    const end = wholeCharacters(text, start + INLINE_UNITS);
    sql.run("INSERT OR REPLACE INTO content VALUES (?, ?, ?)", ref, n, text.slice(start, end));
    start = end;
  }
  return `@${ref}`;
}

/** Packing it writes no row of its own. */
export function fitsRow(text: string): boolean {
  return text.length <= INLINE_UNITS;
}

/** The text a packed column stands for. */
export function unpack(sql: Sql, packed: string): string {
  if (packed.startsWith("=")) return packed.slice(1);
  return sql
    .all<{ part: string }>("SELECT part FROM content WHERE ref = ? ORDER BY n", packed.slice(1))
    .map((row) => row.part)
    .join("");
}

/** A surrogate pair cut in two would be stored as two replacement characters. */
function wholeCharacters(text: string, end: number): number {
  if (end >= text.length) return text.length;
  const unit = text.charCodeAt(end);
  return unit >= 0xdc00 && unit <= 0xdfff ? end - 1 : end;
}
