import { z } from "zod";

export type JsonSchemaNode = { readonly [key: string]: unknown };

/**
 * A zod schema as JSON Schema 2020-12; what JSON Schema cannot say (refinements) is left out.
 *
 * An answer may gain members, so none of its objects is closed.
 */
export function schemaOf(schema: z.ZodType, io: "input" | "output"): JsonSchemaNode {
  const {
    $schema: _,
    $defs = {},
    ...node
  } = z.toJSONSchema(schema, {
    io,
    unrepresentable: "any",
    override: ({ jsonSchema }) => {
      if (io === "output" && jsonSchema.additionalProperties === false) {
        delete jsonSchema.additionalProperties;
      }
    },
  });
  return Object.fromEntries(
    Object.entries(node).map(([name, member]) => [name, inlined(member, $defs, [])]),
  );
}

const LOCAL = "#/$defs/";

/**
 * Definitions in the place of references to them: `#/$defs/…` would be looked for at the root of
 * the document. Where a definition comes back to itself anything goes.
 */
function inlined(
  value: unknown,
  defs: Readonly<Record<string, unknown>>,
  within: readonly string[],
): unknown {
  if (Array.isArray(value)) return value.map((member) => inlined(member, defs, within));
  if (typeof value !== "object" || value === null) return value;
  const reference = "$ref" in value ? String(value.$ref) : "";
  if (reference.startsWith(LOCAL)) {
    const name = reference.slice(LOCAL.length);
    return within.includes(name) ? {} : inlined(defs[name] ?? {}, defs, [...within, name]);
  }
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, inlined(member, defs, within)]),
  );
}
