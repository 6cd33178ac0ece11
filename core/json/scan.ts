import { Problem } from "../problem.ts";

export const DEPTH_LIMIT = 64;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LETTER_U = 0x75;
const LETTER_E = 0x65;
const CAPITAL_E = 0x45;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;

/** More digits than the longest finite double has before its point. */
const DIGITS_LIMIT = 300;

/**
 * Look over JSON text before it is parsed: `JSON.parse` recurses, and it lets through strings that
 * no store keeps faithfully.
 *
 * Refused here: nesting beyond `DEPTH_LIMIT`, escaped NULs, escaped halves of surrogate pairs.
 * Everything else that is wrong is left to `JSON.parse`; well-formed text without these passes.
 *
 * @returns  Whether a number is written so that it may be beyond a double.
 * @throws Problem `malformed_json`
 */
export function scanJson(text: string): { readonly bigNumbers: boolean } {
  let depth = 0;
  let digits = 0;
  let bigNumbers = false;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code >= DIGIT_0 && code <= DIGIT_9) {
      digits += 1;
      bigNumbers ||= digits > DIGITS_LIMIT;
      continue;
    }
    bigNumbers ||= digits > 0 && (code === LETTER_E || code === CAPITAL_E);
    digits = 0;
    if (code === QUOTE) i = endOfString(text, i + 1);
    else if (code === 0x5b || code === 0x7b) depth += 1;
    else if (code === 0x5d || code === 0x7d) depth -= 1;
    if (depth > DEPTH_LIMIT) throw malformed(`nested deeper than ${DEPTH_LIMIT} levels`);
  }
  return { bigNumbers };
}

/** Index of the closing quote, or the end of the text. */
function endOfString(text: string, start: number): number {
  let i = start;
  while (i < text.length) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) return i;
    if (code === BACKSLASH) i += text.charCodeAt(i + 1) === LETTER_U ? escapeLength(text, i) : 2;
    else i += 1;
  }
  return i;
}

/** Characters taken by the escape at `i`: one `\uXXXX`, or two of them for a pair. */
function escapeLength(text: string, i: number): number {
  const unit = escapedUnit(text, i);
  if (unit === 0) throw malformed("a string contains a NUL");
  if (unit >= 0xd800 && unit <= 0xdbff) {
    const next = escapedUnit(text, i + 6);
    if (next >= 0xdc00 && next <= 0xdfff) return 12;
    throw malformed("a string contains half of a surrogate pair");
  }
  if (unit >= 0xdc00 && unit <= 0xdfff) {
    throw malformed("a string contains half of a surrogate pair");
  }
  return Number.isNaN(unit) ? 2 : 6;
}

/** The UTF-16 unit of a `\uXXXX` at `i`, or NaN when none stands there. */
function escapedUnit(text: string, i: number): number {
  const hex = text.slice(i + 2, i + 6);
  if (text.slice(i, i + 2) !== "\\u" || !/^[0-9a-fA-F]{4}$/.test(hex)) return Number.NaN;
  return Number.parseInt(hex, 16);
}

export function malformed(detail: string, pointer = ""): Problem {
  return new Problem("malformed_json", detail, { errors: [{ pointer, detail }] });
}
