/**
 * How a tool is called by name (docs/local-extract.md):
 *
 *   command = "/" tool [ arguments ]          on a line of its own
 *   arguments = JSON object | pair { " " pair }
 *   pair = key "=" ( JSON string | characters without a space )
 */
import type { JsonSchema, ToolOffer } from "../tools/contract.ts";

export type Command = { readonly name: string; readonly arguments: string };

export type Commands =
  | { readonly kind: "none" }
  /** A line names a tool that is not offered. */
  | { readonly kind: "unknown"; readonly name: string }
  /** A line's arguments are neither an object nor pairs. */
  | { readonly kind: "unreadable"; readonly name: string }
  | { readonly kind: "calls"; readonly calls: readonly Command[] };

const LINE = /^\/([A-Za-z][A-Za-z0-9_-]{0,63})(?:[ \t]+(.*))?$/s;
const PAIR = /([A-Za-z_][A-Za-z0-9_.-]*)=("(?:[^"\\]|\\.)*"|[^\s"]+)(?:\s+|$)/y;
const MOST_CALLS = 16;

/** The tool calls a message spells out. Text that only looks like a path is no command. */
export function commandsOf(text: string, offers: readonly ToolOffer[]): Commands {
  const calls: Command[] = [];
  for (const line of text.split("\n")) {
    const [, name, rest = ""] = LINE.exec(line.trim()) ?? [];
    if (name === undefined) continue;
    const offer = offers.find((candidate) => candidate.name === name);
    if (offer === undefined) return { kind: "unknown", name };
    const args = argumentsOf(rest.trim(), offer.inputSchema);
    if (args === undefined) return { kind: "unreadable", name };
    if (calls.length < MOST_CALLS) calls.push({ name, arguments: args });
  }
  return calls.length === 0 ? { kind: "none" } : { kind: "calls", calls };
}

function argumentsOf(text: string, schema: JsonSchema): string | undefined {
  if (text === "") return "{}";
  return text.startsWith("{") ? objectOf(text) : pairsOf(text, schema);
}

/** Kept as written: a tool is called with exactly what was typed. */
function objectOf(text: string): string | undefined {
  try {
    JSON.parse(text);
    return text;
  } catch {
    return undefined;
  }
}

function pairsOf(text: string, schema: JsonSchema): string | undefined {
  const pairs = new Map<string, unknown>();
  PAIR.lastIndex = 0;
  while (PAIR.lastIndex < text.length) {
    const [, key, raw] = PAIR.exec(text) ?? [];
    if (key === undefined || raw === undefined) return undefined;
    const value = valueOf(raw, typeOf(schema, key));
    if (value === undefined) return undefined;
    pairs.set(key, value);
  }
  // Written member by member: as an object, a key named __proto__ would get lost.
  const members = [...pairs].map(
    ([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`,
  );
  return `{${members.join(",")}}`;
}

/** Bare words are text unless the tool's schema declares a number or a boolean there. */
function valueOf(raw: string, type: unknown): unknown {
  if (raw.startsWith('"') || type === "number" || type === "integer" || type === "boolean") {
    try {
      return JSON.parse(raw);
    } catch {
      return raw.startsWith('"') ? undefined : raw; // the schema check will say what is wrong
    }
  }
  return raw;
}

function typeOf(schema: JsonSchema, key: string): unknown {
  const properties = schema.properties;
  if (typeof properties !== "object" || properties === null || !Object.hasOwn(properties, key)) {
    return undefined;
  }
  const property: unknown = Reflect.get(properties, key);
  return typeof property === "object" && property !== null
    ? Reflect.get(property, "type")
    : undefined;
}
