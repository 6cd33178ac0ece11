import type { z } from "zod";
import { checkRule } from "../approvals/contract.ts";
import type { ProblemPlace } from "../problem.ts";
import type { HttpTool, JsonSchema, ToolSpec } from "./contract.ts";
import { checkSchema, under } from "./schema.ts";
import { parseTemplate } from "./url-template.ts";

/** Why the egress rule refuses a URL, or `undefined` (core/egress/check.ts). */
type RefusedUrl = (url: string) => string | undefined;

/** Fields of a request that are the connection's, or ours. */
const RESERVED_HEADERS = new Set([
  "host",
  "connection",
  "content-length",
  "content-type",
  "expect",
  "idempotency-key",
  "keep-alive",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Fields that carry what opens something: written in a spec, every reader of the spec has it. */
const CREDENTIAL_HEADER =
  /(?:^|-)(?:authorization|cookie|api-?key|access-?key|token|secret|password)$/i;

/**
 * Why these tools could not run, as places in the spec; empty when they can. Asked at publish, so
 * that nothing of it can go wrong first in a run.
 */
export function checkTools(
  tools: readonly ToolSpec[],
  refusedUrl: RefusedUrl,
  pointer = "/tools",
): readonly ProblemPlace[] {
  const names = new Set<string>();
  const known = new Map(tools.map((tool) => [tool.name, tool]));
  return tools.flatMap((tool, i) => {
    const at = under(pointer, i);
    const twice = names.has(tool.name);
    names.add(tool.name);
    return [
      ...(twice ? [{ pointer: `${at}/name`, detail: "two tools have this name" }] : []),
      ...(tool.kind === "http" ? checkHttp(tool, refusedUrl, at) : []),
      ...(tool.kind === "http" ? checkEffect(tool, known, refusedUrl, at) : []),
      ...(tool.kind === "callback" ? checkSchema(tool.input_schema, `${at}/input_schema`) : []),
    ];
  });
}

function checkHttp(
  tool: z.infer<typeof HttpTool>,
  refusedUrl: RefusedUrl,
  at: string,
): readonly ProblemPlace[] {
  return [
    ...checkSchema(tool.input_schema, `${at}/input_schema`),
    ...checkTemplate(tool, refusedUrl, `${at}/url`),
    ...(tool.approval === undefined ? [] : checkRule(tool.approval, `${at}/approval`)),
    ...Object.entries(tool.headers).flatMap(([name, value]) => {
      const detail = headerFault(name, value);
      return detail === undefined ? [] : [{ pointer: under(`${at}/headers`, name), detail }];
    }),
  ];
}

/** What is said about the outcome of its calls can be kept. */
function checkEffect(
  tool: z.infer<typeof HttpTool>,
  known: ReadonlyMap<string, ToolSpec>,
  refusedUrl: RefusedUrl,
  at: string,
): readonly ProblemPlace[] {
  const places: ProblemPlace[] = [];
  if (tool.retry && !tool.idempotent && tool.method !== "GET" && !tool.lookup) {
    const detail = "only what is idempotent, a GET, or has a lookup is sent again";
    places.push({ pointer: `${at}/retry`, detail });
  }
  if (tool.lookup) {
    const pointer = `${at}/lookup/url`;
    const { url } = tool.lookup;
    const names = { ...tool.input_schema, ...keyed(tool.input_schema) };
    places.push(...checkTemplate({ url, input_schema: names }, refusedUrl, pointer));
    if (!url.includes("{idempotency_key}")) {
      places.push({ pointer, detail: "expected {idempotency_key} in it" });
    }
  }
  const undo = tool.compensate_with;
  if (undo !== undefined && (undo === tool.name || known.get(undo)?.kind !== "http")) {
    const detail = "expected the name of another tool of kind http";
    places.push({ pointer: `${at}/compensate_with`, detail });
  }
  return places;
}

/** A schema whose arguments come with the key of the call. */
function keyed({ properties, required }: JsonSchema): JsonSchema {
  const plain = typeof properties === "object" && !Array.isArray(properties);
  const declared = plain ? properties : {};
  const needed = Array.isArray(required) ? required : [];
  return {
    properties: { ...declared, idempotency_key: { type: "string" } },
    required: [...needed, "idempotency_key"],
  };
}

/** Why a field that a spec names may not go out as it says; also asked of upstreams. */
export function headerFault(
  name: string,
  value: z.infer<typeof HttpTool>["headers"][string],
): string | undefined {
  if (RESERVED_HEADERS.has(name.toLowerCase())) return "is set by Berth";
  if (typeof value !== "string") return undefined;
  if (CREDENTIAL_HEADER.test(name)) return 'carries a credential: name one, {"secret": "NAME"}';
  // Visible ASCII and spaces; anything else is refused by some hop or splits the header.
  return /^[\x20-\x7e]*$/.test(value) ? undefined : "expected visible ASCII";
}

function checkTemplate(
  tool: Pick<z.infer<typeof HttpTool>, "url" | "input_schema">,
  refusedUrl: RefusedUrl,
  pointer: string,
): readonly ProblemPlace[] {
  const template = parseTemplate(tool.url);
  if (typeof template === "string") return [{ pointer, detail: template }];
  const { properties, required } = tool.input_schema;
  const declared = typeof properties === "object" && properties !== null ? properties : {};
  const needed: readonly unknown[] = Array.isArray(required) ? required : [];
  const places = template.names
    .filter((name) => !Object.hasOwn(declared, name) || !needed.includes(name))
    .map((name) => ({ pointer, detail: `{${name}} is no required property of input_schema` }));
  const probe = template.expand(Object.fromEntries(template.names.map((name) => [name, "x"])));
  const refused = probe instanceof URL ? refusedUrl(probe.href) : undefined;
  if (refused !== undefined) places.push({ pointer, detail: refused });
  return places;
}
