/**
 * The part of JSON Schema 2020-12 that a tool's arguments are checked by.
 *
 * Checked: type, properties, required, additionalProperties, items, enum, const, minimum, maximum,
 * exclusiveMinimum, exclusiveMaximum, minLength, maxLength, minItems, maxItems. Notes (title,
 * description, default, examples, format, …) are carried to the model and not checked. Everything
 * else is refused at publish, above all `pattern`: a regular expression of a tenant never runs here
 * (G14).
 */
import type { ProblemPlace } from "../problem.ts";
import type { JsonSchema } from "./contract.ts";

const TYPES = ["object", "array", "string", "number", "integer", "boolean", "null"] as const;
type TypeName = (typeof TYPES)[number];

const NOTES = new Set(
  ["$schema", "$id", "$comment", "title", "description", "default", "examples", "format"].concat([
    "deprecated",
    "readOnly",
    "writeOnly",
  ]),
);
const BOUNDS = new Set(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]);
const COUNTS = new Set(["minLength", "maxLength", "minItems", "maxItems"]);
const DEEPEST = 16;
const MOST_NODES = 1000;
const MOST_PLACES = 10;

/** What is wrong with a schema, as places under `pointer`; empty when arguments can be checked. */
export function checkSchema(schema: JsonSchema, pointer: string): readonly ProblemPlace[] {
  const places: ProblemPlace[] = [];
  if (schema.type !== "object") {
    places.push({ pointer: `${pointer}/type`, detail: "a tool's arguments are an object" });
  }
  visit({ places, nodes: 0 }, schema, pointer, 0);
  return places.slice(0, MOST_PLACES);
}

/**
 * What is wrong with arguments, as places under their root; empty when they fit.
 *
 * @param schema  One that `checkSchema` found nothing in.
 */
export function checkArguments(schema: JsonSchema, value: unknown): readonly ProblemPlace[] {
  const places: ProblemPlace[] = [];
  check(places, schema, value, "");
  return places.slice(0, MOST_PLACES);
}

/** One step into a JSON pointer. @source RFC 6901 §3 */
export function under(pointer: string, key: string | number): string {
  return `${pointer}/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

type Visit = { readonly places: ProblemPlace[]; nodes: number };

function visit(state: Visit, schema: unknown, pointer: string, depth: number): void {
  const no = (at: string, detail: string): void => void state.places.push({ pointer: at, detail });
  state.nodes += 1;
  if (state.nodes > MOST_NODES || depth > DEEPEST || state.places.length >= MOST_PLACES) {
    if (state.places.length < MOST_PLACES) no(pointer, "the schema is too large or too deep");
    return;
  }
  if (!isRecord(schema)) return no(pointer, "expected a schema object");
  for (const [keyword, value] of Object.entries(schema)) {
    const at = under(pointer, keyword);
    if (NOTES.has(keyword) || keyword === "const") continue;
    if (keyword === "properties") {
      if (!isRecord(value)) no(at, "expected an object of schemas");
      else
        for (const [key, child] of Object.entries(value))
          visit(state, child, under(at, key), depth + 1);
    } else if (keyword === "items") visit(state, value, at, depth + 1);
    else if (keyword === "additionalProperties") {
      if (typeof value !== "boolean") visit(state, value, at, depth + 1);
    } else {
      const wrong = wrongValue(keyword, value);
      if (wrong !== undefined) no(at, wrong);
    }
  }
}

function wrongValue(keyword: string, value: unknown): string | undefined {
  if (keyword === "type") {
    const names: readonly unknown[] = Array.isArray(value) ? value : [value];
    const known = names.length > 0 && names.every((name) => TYPES.some((type) => type === name));
    return known ? undefined : `expected one of ${TYPES.join(", ")}`;
  }
  if (keyword === "required") {
    const names = Array.isArray(value) && value.every((name) => typeof name === "string");
    return names ? undefined : "expected an array of names";
  }
  if (keyword === "enum") {
    return Array.isArray(value) && value.length > 0 ? undefined : "expected a list of values";
  }
  if (BOUNDS.has(keyword)) return typeof value === "number" ? undefined : "expected a number";
  if (COUNTS.has(keyword)) {
    return Number.isSafeInteger(value) && Number(value) >= 0 ? undefined : "expected a count";
  }
  if (keyword === "pattern") return "regular expressions are not supported";
  if (keyword === "$ref") return "references are not supported";
  return "this keyword is not supported";
}

function check(places: ProblemPlace[], schema: unknown, value: unknown, pointer: string): void {
  if (!isRecord(schema) || places.length >= MOST_PLACES) return;
  const no = (detail: string): void => void places.push({ pointer, detail });
  if (schema.type !== undefined && !hasType(schema.type, value)) {
    return no(`expected ${typeNames(schema.type).join(" or ")}`);
  }
  if (Array.isArray(schema.enum) && !schema.enum.some((member) => same(member, value))) {
    no(`expected one of ${JSON.stringify(schema.enum).slice(0, 200)}`);
  }
  if (Object.hasOwn(schema, "const") && !same(schema.const, value)) {
    no(`expected ${JSON.stringify(schema.const).slice(0, 200)}`);
  }
  if (typeof value === "number") checkNumber(schema, value, no);
  else if (typeof value === "string") {
    checkCount(schema.minLength, schema.maxLength, characters(value), "characters", no);
  } else if (Array.isArray(value)) {
    checkCount(schema.minItems, schema.maxItems, value.length, "items", no);
    if (schema.items === undefined) return;
    for (const [i, item] of value.entries()) check(places, schema.items, item, under(pointer, i));
  } else if (isRecord(value)) checkObject(places, schema, value, pointer);
}

function checkObject(
  places: ProblemPlace[],
  schema: Readonly<Record<string, unknown>>,
  value: Readonly<Record<string, unknown>>,
  pointer: string,
): void {
  const properties = isRecord(schema.properties) ? schema.properties : {};
  const others = schema.additionalProperties;
  for (const name of Array.isArray(schema.required) ? schema.required : []) {
    if (typeof name === "string" && !Object.hasOwn(value, name)) {
      places.push({ pointer: under(pointer, name), detail: "is missing" });
    }
  }
  for (const [key, member] of Object.entries(value)) {
    const at = under(pointer, key);
    if (Object.hasOwn(properties, key)) check(places, properties[key], member, at);
    else if (others === false)
      places.push({ pointer: at.slice(0, 200), detail: "is not expected" });
    else check(places, others, member, at);
    if (places.length >= MOST_PLACES) return;
  }
}

function checkNumber(
  schema: Readonly<Record<string, unknown>>,
  value: number,
  no: (detail: string) => void,
): void {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema;
  if (typeof minimum === "number" && value < minimum) no(`expected at least ${minimum}`);
  if (typeof maximum === "number" && value > maximum) no(`expected at most ${maximum}`);
  if (typeof exclusiveMinimum === "number" && value <= exclusiveMinimum) {
    no(`expected more than ${exclusiveMinimum}`);
  }
  if (typeof exclusiveMaximum === "number" && value >= exclusiveMaximum) {
    no(`expected less than ${exclusiveMaximum}`);
  }
}

function checkCount(
  least: unknown,
  most: unknown,
  count: number,
  unit: string,
  no: (detail: string) => void,
): void {
  if (typeof least === "number" && count < least) no(`expected at least ${least} ${unit}`);
  if (typeof most === "number" && count > most) no(`expected at most ${most} ${unit}`);
}

/** JSON Schema counts characters, not UTF-16 units. */
function characters(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

function hasType(type: unknown, value: unknown): boolean {
  return typeNames(type).some((name) => isType(name, value));
}

function typeNames(type: unknown): readonly TypeName[] {
  return TYPES.filter((name) => (Array.isArray(type) ? type.includes(name) : type === name));
}

function isType(type: TypeName, value: unknown): boolean {
  switch (type) {
    case "object":
      return isRecord(value);
    case "array":
      return Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    case "null":
      return value === null;
    case "string":
    case "number":
    case "boolean":
      return typeof value === type;
    default:
      return false;
  }
}

/** Equality of JSON values; walks the schema's side, whose depth publish has bounded. */
function same(expected: unknown, value: unknown): boolean {
  if (expected === value) return true;
  if (Array.isArray(expected)) {
    if (!Array.isArray(value) || value.length !== expected.length) return false;
    return expected.every((member, i) => same(member, value[i]));
  }
  if (!isRecord(expected) || !isRecord(value)) return false;
  const keys = Object.keys(expected);
  if (keys.length !== Object.keys(value).length) return false;
  return keys.every((key) => Object.hasOwn(value, key) && same(expected[key], value[key]));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
