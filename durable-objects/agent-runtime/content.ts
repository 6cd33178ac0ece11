import type { Sql } from "./sql.ts";

/** UTF-16 units a column holds itself; at three bytes each well under the 2 MB row (DECISIONS 30). */
const INLINE_UNITS = 300_000;
/** Ends the reference of chunks that are sealed. */
const SEALED_CHUNKS = "!";

/**
 * Text as a column keeps it: itself behind `=`, or, when too large for a row, a reference behind
 * `@` to chunk rows written in the same transaction. Of a tenant whose content is sealed: what it
 * is sealed for and the sealed text behind `!`, or sealed chunks.
 *
 * @param ref  Unique for this text, without a space: the invocation's id and what the text is.
 */
export function pack(sql: Sql, ref: string, text: string): string {
  if (text.length <= INLINE_UNITS) return sealedText(sql, ref, text) ?? `=${text}`;
  const sealed = sql.sealing?.seals === true;
  const place = sealed ? ref + SEALED_CHUNKS : ref;
  let n = 0;
  for (let start = 0; start < text.length; n += 1) {
    const end = wholeCharacters(text, start + INLINE_UNITS);
    const part = text.slice(start, end);
    const kept = sealed ? (sql.sealing?.seal(`${ref}#${n}`, part) ?? part) : part;
    sql.run("INSERT OR REPLACE INTO content VALUES (?, ?, ?)", place, n, kept);
    start = end;
  }
  return `@${place}`;
}

/** Packing it writes no row of its own. */
export function fitsRow(text: string): boolean {
  return text.length <= INLINE_UNITS;
}

/** The text a packed column stands for. @throws SealFailure  when its key is not here */
export function unpack(sql: Sql, packed: string): string {
  if (packed.startsWith("=")) return packed.slice(1);
  if (isSealed(packed)) return openText(sql, packed);
  const place = packed.slice(1);
  const sealed = place.endsWith(SEALED_CHUNKS);
  const ref = sealed ? place.slice(0, -SEALED_CHUNKS.length) : place;
  return sql
    .all<{ part: string }>("SELECT part FROM content WHERE ref = ? ORDER BY n", place)
    .map(({ part }, n) => (sealed ? (sql.sealing?.open(`${ref}#${n}`, part) ?? "") : part))
    .join("");
}

/** Drop the chunk rows of a packed text, if it has any. */
export function dropChunks(sql: Sql, packed: string): void {
  if (packed.startsWith("@")) sql.run("DELETE FROM content WHERE ref = ?", packed.slice(1));
}

/** JSON as a column that is not packed keeps it: itself, or sealed as `pack` does. */
export function sealJson(sql: Sql, ref: string, json: string): string {
  return sealedText(sql, ref, json) ?? json;
}

/** The JSON that such a column stands for. @throws SealFailure */
export function openJson(sql: Sql, column: string): string {
  return isSealed(column) ? openText(sql, column) : column;
}

/** No JSON begins like this. */
export function isSealed(column: string): boolean {
  return column.startsWith("!");
}

/** Sealed under a key that is gone, or did not come along. */
export function isLocked({ sealing }: Sql, column: string): boolean {
  const sealed = isSealed(column) || (column.startsWith("@") && column.endsWith(SEALED_CHUNKS));
  return sealed && sealing?.opens !== true;
}

function sealedText(sql: Sql, ref: string, text: string): string | undefined {
  const sealed = sql.sealing?.seal(ref, text);
  return sealed === undefined ? undefined : `!${ref} ${sealed}`;
}

function openText({ sealing }: Sql, column: string): string {
  const at = column.lastIndexOf(" ");
  if (sealing === undefined) throw new Error("sealed content, and nothing to open it with");
  return sealing.open(column.slice(1, at), column.slice(at + 1));
}

/** A surrogate pair cut in two would be stored as two replacement characters. */
function wholeCharacters(text: string, end: number): number {
  if (end >= text.length) return text.length;
  const unit = text.charCodeAt(end);
  return unit >= 0xdc00 && unit <= 0xdfff ? end - 1 : end;
}
