import { z } from "zod";
import { PROBLEMS } from "../problem.ts";
import { type JsonSchemaNode, schemaOf } from "./json-schema.ts";

/** One route as the document needs it; what a Worker's route table says of itself. */
export type DescribedRoute = {
  readonly method: string;
  /** In the router's form: `/v1/agents/:id`. */
  readonly path: string;
  /** The scope it demands, or `open` for a route without a credential. */
  readonly scope: string;
  readonly summary: string;
  readonly param?: z.ZodType | undefined;
  readonly query?: z.ZodType | undefined;
  readonly header?: z.ZodType | undefined;
  readonly json?: z.ZodType | undefined;
  /** Of a body that is a form. */
  readonly form?: z.ZodType | undefined;
  readonly bodyOptional?: boolean;
  readonly answers: readonly DescribedAnswer[];
};

/** `schema` absent: an answer without a JSON body (204, a redirect, a stream). */
export type DescribedAnswer = {
  readonly status: number;
  readonly description: string;
  readonly schema?: z.ZodType | undefined;
  readonly mediaType?: string | undefined;
};

export type Parameter = {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required: boolean;
  readonly description?: string;
  readonly schema: JsonSchemaNode;
};

type Content = Readonly<Record<string, { readonly schema: JsonSchemaNode }>>;
export type OpenApiResponse = { readonly description: string; readonly content?: Content };

export type Operation = {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description: string;
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly "x-scope": string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, OpenApiResponse>>;
};

export type OpenApiDocument = {
  readonly openapi: "3.1.0";
  readonly jsonSchemaDialect: string;
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly servers: readonly { readonly url: string }[];
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: JsonSchemaNode;
};

/**
 * The OpenAPI 3.1 document of a route table.
 *
 * Every operation of a scoped route answers 401 and 403 in the same form, so one `default`
 * response stands for all problems; the closed list of codes is in the `Problem` schema.
 *
 * @param origin  Of the host that was asked, for `servers`.
 * @source OpenAPI 3.1.0; its schemas are JSON Schema 2020-12, which is what zod emits.
 */
export function openApiDocument(
  routes: readonly DescribedRoute[],
  about: { readonly title: string; readonly version: string; readonly origin: string },
): OpenApiDocument {
  const paths: Record<string, Record<string, Operation>> = {};
  for (const route of routes) {
    const path = templated(route.path);
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) };
  }
  return {
    openapi: "3.1.0",
    jsonSchemaDialect: "https://json-schema.org/draft/2020-12/schema",
    info: { title: about.title, version: about.version, description: INTRODUCTION },
    servers: [{ url: about.origin }],
    tags: [...new Set(routes.map(({ path }) => tagOfPath(path)))].map((name) => ({ name })),
    paths,
    components: COMPONENTS,
  };
}

/** `/v1/agents/:id` → `/v1/agents/{id}`; a trailing `*` becomes `{path}`. */
export function templated(path: string): string {
  return path.replaceAll(/:([A-Za-z_]+)(\{[^}]*\})?/g, "{$1}").replace(/\*$/, "{path}");
}

const INTRODUCTION =
  "JSON in snake_case, times in RFC 3339, money as integer micro-USD beside a decimal string. " +
  "Refusals are RFC 9457 problem documents with a closed list of codes.";

const PROBLEM_SCHEMA: JsonSchemaNode = {
  type: "object",
  required: ["type", "title", "status", "detail", "instance", "code", "request_id"],
  properties: {
    type: { type: "string", format: "uri" },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string" },
    instance: { type: "string" },
    code: { type: "string", enum: Object.keys(PROBLEMS) },
    request_id: { type: "string" },
    errors: {
      type: "array",
      items: {
        type: "object",
        required: ["pointer", "detail"],
        properties: { pointer: { type: "string" }, detail: { type: "string" } },
      },
    },
  },
};

const COMPONENTS: JsonSchemaNode = {
  schemas: { Problem: PROBLEM_SCHEMA },
  securitySchemes: {
    bearer: { type: "http", scheme: "bearer", description: "An API key or a signed token." },
    key: { type: "apiKey", in: "header", name: "x-api-key" },
    console: { type: "apiKey", in: "cookie", name: "__Host-berth" },
  },
};

const IDEMPOTENCY_KEY: Parameter = {
  name: "Idempotency-Key",
  in: "header",
  required: false,
  description: "The same key with the same body is answered with the first answer.",
  schema: { type: "string", minLength: 1, maxLength: 255 },
};

const PROBLEM_RESPONSE: OpenApiResponse = {
  description: "A refusal",
  content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
};

function operation(route: DescribedRoute): Operation {
  const parameters = [
    ...parametersOf(route.param, "path"),
    ...parametersOf(route.query, "query"),
    ...parametersOf(route.header, "header"),
    // A key is its principal's: where nobody is asked who they are, there is none to keep.
    ...(route.method === "POST" && route.scope !== "open" ? [IDEMPOTENCY_KEY] : []),
  ];
  return {
    operationId: operationId(route),
    tags: [tagOfPath(route.path)],
    summary: route.summary,
    description: route.scope === "open" ? "Open." : `Needs the scope \`${route.scope}\`.`,
    security: route.scope === "open" ? [] : [{ bearer: [] }, { key: [] }, { console: [] }],
    "x-scope": route.scope,
    ...(parameters.length > 0 ? { parameters } : {}),
    ...bodyOf(route),
    responses: responsesOf(route.answers),
  };
}

function bodyOf({ json: object, form, bodyOptional }: DescribedRoute) {
  const required = bodyOptional !== true;
  if (object) return { requestBody: { required, content: json(object, "input") } };
  return form ? { requestBody: { required, content: json(form, "input", FORM) } } : {};
}

const FORM = "application/x-www-form-urlencoded";

function responsesOf(answers: readonly DescribedAnswer[]): Record<string, OpenApiResponse> {
  const responses: Record<string, OpenApiResponse> = {};
  for (const { status, description, schema, mediaType } of answers) {
    const content = schema
      ? json(schema, "output", mediaType)
      : mediaType
        ? { [mediaType]: { schema: { type: "string" } } }
        : undefined;
    const earlier = responses[String(status)];
    responses[String(status)] = {
      description: earlier ? `${earlier.description}; ${description}` : description,
      ...(content || earlier?.content ? { content: { ...earlier?.content, ...content } } : {}),
    };
  }
  return { ...responses, default: PROBLEM_RESPONSE };
}

function json(schema: z.ZodType, io: "input" | "output", mediaType = "application/json"): Content {
  return { [mediaType]: { schema: schemaOf(schema, io) } };
}

function parametersOf(schema: z.ZodType | undefined, place: Parameter["in"]): Parameter[] {
  if (!schema) return [];
  const { properties = {}, required = [] } = z
    .object({
      properties: z.record(z.string(), z.record(z.string(), z.unknown())).optional(),
      required: z.array(z.string()).optional(),
    })
    .parse(schemaOf(schema, "input"));
  return Object.entries(properties).map(([name, node]) =>
    parameter(name, place, place === "path" || required.includes(name), node),
  );
}

function parameter(
  name: string,
  place: Parameter["in"],
  required: boolean,
  { description, ...schema }: JsonSchemaNode,
): Parameter {
  const words = typeof description === "string" ? { description } : {};
  return { name, in: place, required, ...words, schema };
}

function operationId({ method, path }: DescribedRoute): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== "");
  return [method.toLowerCase(), ...words].join("_");
}

/** The noun of a path: `/v1/agents/:id/draft` → `agents`, `/a/:agent/invoke` → `a`. */
function tagOfPath(path: string): string {
  const [first = "", second = ""] = path.split("/").filter((part) => part !== "");
  if (first === "v1") return second;
  return first === "a" ? "invoke" : first === "auth" ? "auth" : "platform";
}
