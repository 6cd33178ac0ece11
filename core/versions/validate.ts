/**
 * Can this spec run? Decided at publish, so that an invocation never finds out.
 *
 * The schema (`AgentSpec`) has settled the form; here is what one field says about another, and
 * about what the tenant has.
 */
import type { AgentSpec } from "../agents/spec.ts";
import { Problem, type ProblemPlace } from "../problem.ts";
import type { ToolSpec } from "../tools/contract.ts";

export type SpecPorts = {
  /** Slugs a model reference may start with, beside `local`. */
  readonly providers: readonly string[];
  /** Why a URL may not be called (GUARANTEES §7), or undefined; the static part of egress. */
  readonly checkUrl: (url: string) => string | undefined;
};

type HttpTool = Extract<ToolSpec, { kind: "http" }>;

/** @throws Problem `spec_invalid` with every fault and its JSON pointer. */
export function validateSpec(spec: AgentSpec, ports: SpecPorts): void {
  const errors = specFaults(spec, ports);
  if (errors.length > 0) throw new Problem("spec_invalid", "the spec cannot run", { errors });
}

/** Every reason why the spec cannot run, in document order. */
export function specFaults(spec: AgentSpec, ports: SpecPorts): readonly ProblemPlace[] {
  return [
    ...modelFault("/model", spec.model, ports.providers),
    ...spec.fallback.flatMap((ref, i) => fallbackFault(spec, ref, i, ports.providers)),
    ...knowledgeFaults(spec),
    ...spec.tools.flatMap((tool, i) => toolFaults(spec.tools, tool, i, ports)),
    ...(spec.retry.base_ms > spec.retry.cap_ms
      ? [{ pointer: "/retry/base_ms", detail: "is above cap_ms" }]
      : []),
  ];
}

function fallbackFault(
  spec: AgentSpec,
  ref: string,
  index: number,
  providers: readonly string[],
): readonly ProblemPlace[] {
  const pointer = `/fallback/${index}`;
  const earlier = [spec.model, ...spec.fallback.slice(0, index)];
  if (earlier.includes(ref)) return [{ pointer, detail: `${ref} was tried before` }];
  return modelFault(pointer, ref, providers);
}

function modelFault(
  pointer: string,
  ref: string,
  providers: readonly string[],
): readonly ProblemPlace[] {
  const slash = ref.indexOf("/");
  const provider = ref.slice(0, slash);
  if (provider === "local") {
    if (ref === "local/extract") return [];
    return [{ pointer, detail: "`local` knows one model, local/extract" }];
  }
  if (providers.includes(provider)) return [];
  return [{ pointer, detail: `no provider named ${provider}` }];
}

/** A title is what a citation names: two alike would cite nothing. */
function knowledgeFaults(spec: AgentSpec): readonly ProblemPlace[] {
  const titles = spec.knowledge.map((item) => item.title);
  return titles.flatMap((title, index) =>
    titles.indexOf(title) < index
      ? [{ pointer: `/knowledge/${index}/title`, detail: "is the title of another item" }]
      : [],
  );
}

function toolFaults(
  tools: readonly ToolSpec[],
  tool: ToolSpec,
  index: number,
  ports: SpecPorts,
): readonly ProblemPlace[] {
  const at = `/tools/${index}`;
  const repeated = tools.findIndex((other) => other.name === tool.name) < index;
  const faults = repeated ? [{ pointer: `${at}/name`, detail: "is another tool's name" }] : [];
  if (tool.kind !== "http") return faults;
  return [
    ...faults,
    ...urlFaults(`${at}/url`, tool, ports.checkUrl),
    ...headerFaults(`${at}/headers`, tool.headers),
    ...schemaFaults(`${at}/input_schema`, tool.input_schema),
  ];
}

const PLACEHOLDER = /\{([^{}]*)\}/g;

/**
 * The template with its placeholders filled must be callable, and what fills them must come from a
 * declared argument and stand behind the host: an argument never chooses where a request goes.
 */
function urlFaults(
  pointer: string,
  tool: HttpTool,
  checkUrl: SpecPorts["checkUrl"],
): readonly ProblemPlace[] {
  const names = [...tool.url.matchAll(PLACEHOLDER)].map(([, name]) => name ?? "");
  const known = tool.input_schema["properties"];
  const declared = typeof known === "object" && known !== null ? Object.keys(known) : [];
  const unknown = names
    .filter((name) => !declared.includes(name))
    .map((name) => ({ pointer, detail: `no argument named ${JSON.stringify(name)}` }));
  const filled = tool.url.replace(PLACEHOLDER, "x");
  if (/[{}]/.test(filled)) return [...unknown, { pointer, detail: "an unbalanced brace" }];
  const authority = /^[a-z]+:\/\/[^/?#]*/i.exec(tool.url)?.[0];
  if (authority === undefined) return [...unknown, { pointer, detail: "not an absolute URL" }];
  if (authority.includes("{")) {
    return [...unknown, { pointer, detail: "a placeholder cannot stand in the host" }];
  }
  const refused = checkUrl(filled);
  return refused === undefined ? unknown : [...unknown, { pointer, detail: refused }];
}

/** Ours to set, or the connection's own (RFC 9110 §7.6.1). */
const KEPT_HEADERS = new Set([
  "connection",
  "content-length",
  "host",
  "idempotency-key",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

function headerFaults(
  pointer: string,
  headers: Readonly<Record<string, string>>,
): readonly ProblemPlace[] {
  return Object.entries(headers).flatMap(([name, value]) => {
    const at = `${pointer}/${name}`;
    if (KEPT_HEADERS.has(name.toLowerCase())) {
      return [{ pointer: at, detail: "is not the spec's to set" }];
    }
    if (/^[\t\x20-\x7e]*$/.test(value)) return [];
    return [{ pointer: at, detail: "only printable ASCII" }];
  });
}

/** Keywords whose value is a URI reference to another schema. */
const REFERENCES = new Set(["$ref", "$dynamicRef", "$recursiveRef"]);

/** A schema of arguments: an object at the top, and nothing that lives elsewhere. */
function schemaFaults(
  pointer: string,
  schema: Readonly<Record<string, unknown>>,
): readonly ProblemPlace[] {
  const type = schema["type"];
  const shape =
    type === undefined || type === "object"
      ? []
      : [{ pointer: `${pointer}/type`, detail: "arguments are an object" }];
  return [...shape, ...remoteReferences(pointer, schema)];
}

function remoteReferences(top: string, schema: unknown): readonly ProblemPlace[] {
  const faults: ProblemPlace[] = [];
  // A list of what is left to look at: nesting costs no stack.
  const left: [pointer: string, value: unknown][] = [[top, schema]];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const [pointer, value] = next;
    if (typeof value !== "object" || value === null) continue;
    for (const [name, member] of Object.entries(value)) {
      const at = `${pointer}/${escaped(name)}`;
      if (REFERENCES.has(name) && typeof member === "string" && !member.startsWith("#")) {
        faults.push({ pointer: at, detail: "only references inside the schema (#…)" });
      }
      left.push([at, member]);
    }
  }
  return faults.toReversed();
}

/** One token of a JSON pointer. @source RFC 6901 §3 */
function escaped(token: string): string {
  return token.replaceAll("~", "~0").replaceAll("/", "~1");
}
