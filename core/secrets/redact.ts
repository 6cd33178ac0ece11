/**
 * Keeping secret values out of what others say: text of a tool, of a model, of a failure.
 *
 * A value is looked for as it is and as far sides are seen to repeat it: escaped for JSON, HTML and
 * URLs, in hex, and in base64 at any place of a longer text. The leftmost and then longest match
 * goes, in one pass, so that text that comes in pieces is treated exactly like the whole of it.
 */

/** What stands where a secret stood. */
export const REDACTED = "[redacted]";

/** Shorter ones are found in ordinary words: taking them out would only garble text. */
const SHORTEST = 6;

export type Redactor = {
  readonly text: (text: string) => string;
  /** For one text that comes in pieces. */
  readonly pieces: () => RedactedPieces;
};

export type RedactedPieces = {
  /** As much as can be told by now: what may be the beginning of a secret is held back. */
  push(piece: string): string;
  /** What was held back, once nothing more comes. */
  end(): string;
};

/** @param values  Secrets in clear; those shorter than 6 characters are left alone. */
export function createRedactor(values: readonly string[]): Redactor {
  const forms = [...new Set(values.filter((it) => it.length >= SHORTEST).flatMap(formsOf))];
  const byFirst = Map.groupBy(forms, (form) => form.charAt(0));
  const text = (whole: string): string =>
    forms.some((form) => whole.includes(form)) ? scan(whole, byFirst, true).clean : whole;
  return {
    text,
    pieces() {
      let held = "";
      return {
        push(piece) {
          const { clean, rest } = scan(held + piece, byFirst, false);
          held = rest;
          return clean;
        },
        end() {
          const last = text(held);
          held = "";
          return last;
        },
      };
    },
  };
}

type Scanned = { readonly clean: string; readonly rest: string };

/** @param whole  Nothing comes after `text`; else `rest` is what may still become a match. */
function scan(
  text: string,
  byFirst: ReadonlyMap<string, readonly string[]>,
  whole: boolean,
): Scanned {
  let clean = "";
  let from = 0;
  let at = 0;
  while (at < text.length) {
    const forms = byFirst.get(text.charAt(at));
    if (forms === undefined) {
      at += 1;
      continue;
    }
    if (!whole && forms.some((form) => begins(form, text, at))) break;
    const matched = Math.max(
      0,
      ...forms.map((form) => (text.startsWith(form, at) ? form.length : 0)),
    );
    if (matched > 0) {
      clean += text.slice(from, at) + REDACTED;
      from = at + matched;
    }
    at += Math.max(1, matched);
  }
  return { clean: clean + text.slice(from, at), rest: text.slice(at) };
}

/** All that is left of `text` is a beginning of `form` that is not the whole of it. */
function begins(form: string, text: string, at: number): boolean {
  const left = text.length - at;
  return left < form.length && form.startsWith(text.slice(at));
}

function formsOf(value: string): readonly string[] {
  const bytes = new TextEncoder().encode(value);
  const percent = encodeURIComponent(value.toWellFormed());
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const html = value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const base64 = [base64At(bytes, 0), base64At(bytes, 1), base64At(bytes, 2), padded(bytes)];
  return [
    value,
    JSON.stringify(value).slice(1, -1),
    percent,
    percent.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
    percent.replaceAll("%20", "+"),
    html,
    html.replaceAll('"', "&quot;").replaceAll("'", "&#39;"),
    hex,
    hex.toUpperCase(),
    ...base64,
    ...base64.map((text) => text.replaceAll("+", "-").replaceAll("/", "_")),
  ].filter((form) => form.length >= SHORTEST);
}

/** The characters of a base64 text that depend on these bytes alone, `before` bytes into it. */
function base64At(bytes: Uint8Array, before: 0 | 1 | 2): string {
  const whole = padded(new Uint8Array([...new Uint8Array(before), ...bytes]));
  const start = Math.ceil((before * 8) / 6);
  return whole.slice(start, Math.floor(((before + bytes.length) * 8) / 6));
}

function padded(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}
