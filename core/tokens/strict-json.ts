/**
 * JSON as tokens may hold it: an object, in UTF-8, with no name twice at any level. Of two claims of
 * one name different readers believe different ones, which is how a token gets two meanings.
 */
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const STRING = /"(?:[^"\\]|\\.)*"/y;
const DEPTH_LIMIT = 16;

export type JsonObject = { readonly [name: string]: unknown };

/** The object, or `undefined` when the bytes are anything else. */
export function strictObject(bytes: Uint8Array): JsonObject | undefined {
  try {
    const text = utf8.decode(bytes);
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    return namesOnce(text) ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}

/** Does no object of this well-formed JSON text have a name twice? */
function namesOnce(text: string): boolean {
  // One set of names per open object; `undefined` for an open array.
  const open: (Set<string> | undefined)[] = [];
  for (let i = 0; i < text.length; i += 1) {
    const char = text.charAt(i);
    if (char === "{" || char === "[") open.push(char === "{" ? new Set() : undefined);
    else if (char === "}" || char === "]") open.pop();
    else if (char === '"') {
      STRING.lastIndex = i;
      const literal = STRING.exec(text)?.[0] ?? '"';
      i += literal.length - 1;
      if (!claim(open.at(-1), literal, text.slice(i + 1))) return false;
    }
    if (open.length > DEPTH_LIMIT) return false;
  }
  return true;
}

/** False when the string is a name its object has already. */
function claim(names: Set<string> | undefined, literal: string, rest: string): boolean {
  if (names === undefined || !/^\s*:/.test(rest)) return true;
  const name: string = JSON.parse(literal);
  if (names.has(name)) return false;
  names.add(name);
  return true;
}
