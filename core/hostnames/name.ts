/**
 * Which names a tenant may bring, and their one form: lower case, ASCII, no trailing dot.
 *
 * N1  What is kept is what `Host` will carry (core/hosts/parse.ts); two spellings are one name.
 * N2  Never a name of the platform's own, an address, a bare word, a wildcard, or a name that does
 *     not exist outside (RFC 6761, RFC 8375).
 * N3  An international name reads as what it is: nothing invisible, nothing that is another
 *     character's look-alike form, no label of mixed scripts (UTS 39 §5.2, highly restrictive).
 */
import { fromPunycode } from "./punycode.ts";

export type NamedHost =
  | { readonly ok: true; readonly name: string }
  | { readonly ok: false; readonly fault: string };

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const LONGEST = 253;
const INSIDE = [
  "localhost",
  "local",
  "localdomain",
  "internal",
  "intranet",
  "test",
  "invalid",
  "onion",
  "arpa",
];
/** What stands in URLs and patterns, and never in a name. */
const NOT_A_NAME = /[\s\p{Cc}\p{Cs}\p{Co}\p{Cn}/:@?#%\\[\]*!$&'"()+,;=<>^`{|}~_]/u;
/** Characters that are not seen, and dots that are not dots. */
const HIDDEN = /[\p{Cf}\p{Mn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u3002\uFF0E\uFF61]/u;

/** @param own  The platform's apex, lower case. */
export function hostnameFrom(text: string, own: string): NamedHost {
  const typed = text.endsWith(".") ? text.slice(0, -1) : text;
  if (typed === "" || typed.length > LONGEST) return no("1 to 253 characters");
  if (typed.includes("*")) return no("no wildcards: one name at a time");
  if (NOT_A_NAME.test(typed)) return no("a name alone, without scheme, port, path or spaces");
  if (!plain(typed)) return no("characters that look like others are not accepted");
  const name = ascii(typed);
  if (name === undefined || name.length > LONGEST) return no("not a hostname");
  const labels = name.split(".");
  if (labels.length < 2) return no("a name under a domain, with a dot");
  if (!labels.every((label) => LABEL.test(label))) return no("not a hostname");
  if (/^(?:[0-9]+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? "")) return no("a name, not an address");
  if (within(name, own)) return no("this is the platform's own domain");
  if (INSIDE.some((zone) => within(name, zone))) return no("this name exists inside networks only");
  if (!labels.every(readable)) return no("a label of mixed scripts, or one that encodes nothing");
  return { ok: true, name };
}

function no(fault: string): NamedHost {
  return { ok: false, fault };
}

function within(name: string, zone: string): boolean {
  return name === zone || name.endsWith(`.${zone}`);
}

/** Typed as it is meant: composed, with no compatibility forms and nothing hidden. */
function plain(text: string): boolean {
  return !HIDDEN.test(text) && text.normalize("NFKC") === text;
}

/** The name as DNS has it. @source WHATWG URL §3.3 (domain to ASCII) */
function ascii(text: string): string | undefined {
  try {
    return new URL(`http://${text}/`).hostname;
  } catch {
    return undefined;
  }
}

/** A label as people see it holds letters of one script, or of those that are written together. */
function readable(label: string): boolean {
  if (label.slice(2, 4) !== "--") return true;
  if (!label.startsWith("xn--")) return false;
  const text = fromPunycode(label.slice(4));
  if (text === undefined || !plain(text) || NOT_A_NAME.test(text)) return false;
  if (ascii(`${text}.example`) !== `${label}.example`) return false;
  const found = new Set(Array.from(text, scriptOf).flat());
  if (found.size <= 1) return true;
  return TOGETHER.some((scripts) => [...found].every((script) => scripts.includes(script)));
}

const TOGETHER: readonly (readonly string[])[] = [
  ["Latin", "Han", "Hiragana", "Katakana"],
  ["Latin", "Han", "Hangul"],
  ["Latin", "Han", "Bopomofo"],
];

const SCRIPTS = [
  "Latin",
  "Greek",
  "Cyrillic",
  "Armenian",
  "Hebrew",
  "Arabic",
  "Devanagari",
  "Bengali",
  "Gurmukhi",
  "Gujarati",
  "Oriya",
  "Tamil",
  "Telugu",
  "Kannada",
  "Malayalam",
  "Sinhala",
  "Thai",
  "Lao",
  "Tibetan",
  "Myanmar",
  "Georgian",
  "Ethiopic",
  "Khmer",
  "Han",
  "Hiragana",
  "Katakana",
  "Hangul",
  "Bopomofo",
].map((name) => ({ name, has: new RegExp(`^\\p{Script=${name}}$`, "u") }));
/** Digits, dashes and marks belong to whatever they stand in. */
const COMMON = /^[\p{Script=Common}\p{Script=Inherited}]$/u;

function scriptOf(char: string): readonly string[] {
  if (COMMON.test(char)) return [];
  return [SCRIPTS.find(({ has }) => has.test(char))?.name ?? "other"];
}
