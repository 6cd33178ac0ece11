/** A JSON Schema in HTML lists and a few words, for people. */
import type { JsonSchemaNode } from "./json-schema.ts";

/** What a schema holds, nested; depth is bounded because a schema may refer to itself. */
export function schemaList(schema: JsonSchemaNode, depth = 0): string {
  if (depth > DEPTH_LIMIT) return "";
  const alternatives = alternativesOf(schema).filter(hasProperties);
  if (alternatives.length > 0) {
    const lists = alternatives.map((node) => `<li>one of${schemaList(node, depth + 1)}</li>`);
    return `<ul class="schema">${lists.join("")}</ul>`;
  }
  if (isNode(schema["items"])) return schemaList(schema["items"], depth);
  const properties = isNode(schema["properties"]) ? Object.entries(schema["properties"]) : [];
  if (properties.length === 0) return depth === 0 ? `<p>${typeWords(schema)}</p>` : "";
  const required = Array.isArray(schema["required"]) ? schema["required"] : [];
  const rows = properties.map(([name, node]) => {
    const child = isNode(node) ? node : {};
    const need = required.includes(name) ? ", required" : "";
    return `<li><code>${html(name)}</code> ${typeWords(child)}<span class="soft">${need}</span>${schemaList(child, depth + 1)}</li>`;
  });
  return `<ul class="schema">${rows.join("")}</ul>`;
}

const DEPTH_LIMIT = 8;

function hasProperties(schema: JsonSchemaNode): boolean {
  return isNode(schema["properties"]) || isNode(schema["items"]);
}

function alternativesOf(schema: JsonSchemaNode): readonly JsonSchemaNode[] {
  const options = [schema["anyOf"], schema["oneOf"]].find((list) => Array.isArray(list));
  return Array.isArray(options) ? options.filter(isNode) : [];
}

/** A schema's kind and bounds in a few words: `string, 1 to 64 characters`. */
export function typeWords(schema: JsonSchemaNode): string {
  const alternatives = alternativesOf(schema);
  if (alternatives.length > 0) return [...new Set(alternatives.map(typeWords))].join(" or ");
  if ("const" in schema) return `<code>${html(JSON.stringify(schema["const"]))}</code>`;
  if (Array.isArray(schema["enum"])) {
    return schema["enum"].map((value) => `<code>${html(JSON.stringify(value))}</code>`).join(" ");
  }
  const kind = named(schema["format"]) ?? named(schema["type"]) ?? "any JSON";
  const of = kind === "array" && isNode(schema["items"]) ? ` of ${typeWords(schema["items"])}` : "";
  const words = [boundWords(schema), defaultWords(schema)].filter((word) => word !== "");
  const more = words.length > 0 ? `<span class="soft">, ${html(words.join(", "))}</span>` : "";
  return `<span class="soft">${html(kind)}</span>${of}${more}`;
}

const BOUNDS = [
  ["minLength", "maxLength", " characters"],
  ["minItems", "maxItems", " items"],
  ["minimum", "maximum", ""],
] as const;

function boundWords(schema: JsonSchemaNode): string {
  for (const [least, most, unit] of BOUNDS) {
    const [low, high] = [schema[least], schema[most]];
    // zod bounds every integer by what a double holds; that is no rule of ours.
    const far = typeof high === "number" && high < Number.MAX_SAFE_INTEGER;
    const near = typeof low === "number" && low > Number.MIN_SAFE_INTEGER;
    if (near && far) return `${low} to ${high}${unit}`;
    if (far) return `at most ${high}${unit}`;
    if (near) return `at least ${low}${unit}`;
  }
  return "";
}

function defaultWords(schema: JsonSchemaNode): string {
  return "default" in schema ? `default ${JSON.stringify(schema["default"])}` : "";
}

function named(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function isNode(value: unknown): value is JsonSchemaNode {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Text as HTML text or attribute value. */
export function html(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}
