/** Input of a route to the value its schema makes of it, or to a refusal that says where. */
import type { HonoRequest } from "hono";
import { z } from "zod";
import { escapePointer } from "../../core/json/text.ts";
import { Problem, type ProblemPlace } from "../../core/problem.ts";
import { readJson } from "./body.ts";

export type Target = "param" | "query" | "header" | "json";

export type JsonOptions = {
  /** Largest body in bytes. */
  readonly limitBytes: number;
  /** An absent body is `{}`. */
  readonly optional: boolean;
  /** The field that a body of JSON lines is the list of. */
  readonly lines?: string;
};

const PLACES_NAMED = 20;

/**
 * A promise for JSON, whose bytes may not have come yet; at once for everything else.
 *
 * @throws Problem `not_found` | `bad_request` | `precondition_required` | `invalid`, and those of
 *         `readJson`
 */
export function parseInput<S extends z.ZodType>(
  request: HonoRequest,
  target: Target,
  schema: S,
  options: JsonOptions,
): z.output<S> | Promise<z.output<S>> {
  return target === "json"
    ? readJson(request.raw, options).then((input) => parsed(target, schema, input))
    : parsed(target, schema, fieldsOf(request, target, schema));
}

function parsed<S extends z.ZodType>(target: Target, schema: S, input: unknown): z.output<S> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  throw refusal(target, placesOf(result.error.issues, target), input);
}

type Fields = Readonly<Record<string, string | readonly string[]>>;

function fieldsOf(request: HonoRequest, target: "param" | "query" | "header", schema: z.ZodType) {
  const fields = rawFields(request, target, schema);
  const odd = Object.entries(fields).filter(([, value]) => String(value).includes("\0"));
  if (odd.length === 0) return fields;
  const places = odd.map(([pointer]) => ({ pointer, detail: "contains a NUL" }));
  throw refusal(target, places, fields);
}

function rawFields(
  request: HonoRequest,
  target: "param" | "query" | "header",
  schema: z.ZodType,
): Fields {
  if (target === "param") return request.param();
  if (target === "query") return queryOf(request.url);
  // Only what the route declares: a request has many headers that are nobody's input.
  const names = schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = request.header(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** A field that stands twice becomes a list, which a schema for one value refuses. */
function queryOf(url: string): Fields {
  const start = url.indexOf("?");
  if (start === -1) return {};
  const fields = new Map<string, string | string[]>();
  for (const [name, value] of new URLSearchParams(url.slice(start))) {
    const before = fields.get(name);
    fields.set(name, before === undefined ? value : [before, value].flat());
  }
  // `fromEntries` defines, it does not assign: a field named __proto__ is a field.
  return Object.fromEntries(fields);
}

function refusal(target: Target, errors: readonly ProblemPlace[], input: unknown): Problem {
  if (target === "param") return new Problem("not_found", "no such resource");
  if (target === "query") return new Problem("invalid", "the query does not fit", { errors });
  if (target === "json") {
    return new Problem("invalid", "the body does not fit its schema", { errors });
  }
  return revisionMissing(errors, input)
    ? new Problem("precondition_required", "send If-Match with the revision you read", { errors })
    : new Problem("bad_request", "a header does not fit", { errors });
}

function revisionMissing(errors: readonly ProblemPlace[], input: unknown): boolean {
  const asked = errors.some(({ pointer }) => pointer === "if-match");
  return asked && typeof input === "object" && input !== null && !("if-match" in input);
}

/** Where and why, without what was there; a JSON pointer in a body, a name elsewhere. */
function placesOf(
  issues: readonly z.core.$ZodIssue[],
  target: Target,
  at: readonly PropertyKey[] = [],
): readonly ProblemPlace[] {
  return issues
    .flatMap((issue) => {
      const path = [...at, ...issue.path];
      if (issue.code === "unrecognized_keys") {
        return issue.keys.map((key) => placeOf([...path, key], "unknown field", target));
      }
      const closest = issue.code === "invalid_union" ? closestOf(issue.errors) : undefined;
      return closest === undefined
        ? [placeOf(path, issue.message, target)]
        : placesOf(closest, target, path);
    })
    .slice(0, PLACES_NAMED);
}

/** Of a union's branches the one that got furthest: its complaints lie deepest. */
function closestOf(
  branches: readonly (readonly z.core.$ZodIssue[])[],
): readonly z.core.$ZodIssue[] | undefined {
  const depth = (issues: readonly z.core.$ZodIssue[]) =>
    Math.max(0, ...issues.map((issue) => issue.path.length));
  const deepest = [...branches].sort((a, b) => depth(b) - depth(a))[0];
  return deepest !== undefined && depth(deepest) > 0 ? deepest : undefined;
}

function placeOf(path: readonly PropertyKey[], detail: string, target: Target): ProblemPlace {
  const names = path.map(String);
  const pointer =
    target === "json" ? names.map((name) => `/${escapePointer(name)}`).join("") : names.join(".");
  return { pointer: pointer.slice(0, 200), detail };
}
