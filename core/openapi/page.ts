/**
 * The OpenAPI document as one readable page: no script, nothing loaded, one inline style.
 *
 * Everything that comes from the document is escaped here; `html` is the only place where text
 * becomes markup.
 */
import type {
  JsonSchemaNode,
  OpenApiDocument,
  OpenApiResponse,
  Operation,
  Parameter,
} from "./document.ts";

/** The page's whole style sheet; its hash goes into the Content-Security-Policy. */
export const PAGE_STYLE = `
:root { color-scheme: light dark; --ink: #16202c; --soft: #566273; --line: #d8dee6; --page: #fff;
  --code: #f4f6f9; --accent: #0b5cad; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf2; --soft: #9aa7b8; --line: #2c3644;
  --page: #10161e; --code: #18212c; --accent: #7db8f5; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
a { color: var(--accent); }
code { font: 0.875rem/1.4 ui-monospace, monospace; background: var(--code); border-radius: 0.2rem;
  padding: 0 0.2rem; }
nav ul, .schema { list-style: none; padding: 0; }
nav ul { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; }
.schema .schema { border-left: 2px solid var(--line); padding-left: 0.75rem; margin-left: 0.25rem; }
details { border: 1px solid var(--line); border-radius: 0.4rem; margin: 0.5rem 0; }
summary { cursor: pointer; padding: 0.5rem 0.75rem; }
details > div { padding: 0 0.75rem 0.75rem; }
h2 { margin-top: 2rem; } h4 { margin: 0.75rem 0 0.25rem; }
.verb { font-weight: 700; } .soft { color: var(--soft); } p { margin: 0.25rem 0; }
`;

/** The page itself, as a complete HTML document. */
export function documentPage(document: OpenApiDocument): string {
  const { title, version, description } = document.info;
  const groups = grouped(document);
  const entries = [...groups.keys()].map(
    (tag) => `<li><a href="#${html(tag)}">${html(tag)}</a></li>`,
  );
  const sections = [...groups].map(
    ([tag, operations]) =>
      `<section aria-labelledby="${html(tag)}"><h2 id="${html(tag)}">${html(tag)}</h2>${operations.join("")}</section>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${html(title)}</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<header><h1>${html(title)} <span class="soft">${html(version)}</span></h1>
<p>${html(description)}</p>
<p>Machine form: <a href="/openapi.json">/openapi.json</a></p></header>
<nav aria-label="Nouns"><ul>${entries.join("")}</ul></nav>
<main>${sections.join("")}</main>
</body>
</html>
`;
}

function grouped(document: OpenApiDocument): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const tag = operation.tags[0] ?? "other";
      groups.set(tag, [...(groups.get(tag) ?? []), operationBlock(method, path, operation)]);
    }
  }
  return groups;
}

function operationBlock(method: string, path: string, operation: Operation): string {
  const scope = operation["x-scope"];
  return `<details id="${html(operation.operationId)}">
<summary><span class="verb">${html(method.toUpperCase())}</span> <code>${html(path)}</code> ${html(operation.summary)}</summary>
<div>
<p class="soft">${scope === "open" ? "Open" : `Scope <code>${html(scope)}</code>`}</p>
${parameterList(operation.parameters ?? [])}
${bodyBlock(operation)}
<h4>Answers</h4>${Object.entries(operation.responses).map(answerBlock).join("")}
</div>
</details>`;
}

function parameterList(parameters: readonly Parameter[]): string {
  if (parameters.length === 0) return "";
  const rows = parameters.map(
    ({ name, in: place, required, schema, description }) =>
      `<li><code>${html(name)}</code> <span class="soft">${place}${required ? ", required" : ""}</span> ${typeWords(schema)} ${html(description ?? "")}</li>`,
  );
  return `<h4>Parameters</h4><ul class="schema">${rows.join("")}</ul>`;
}

function bodyBlock({ requestBody }: Operation): string {
  const schema = requestBody?.content["application/json"]?.schema;
  return schema ? `<h4>Body</h4>${schemaList(schema)}` : "";
}

function answerBlock([status, { description, content = {} }]: readonly [
  string,
  OpenApiResponse,
]): string {
  const bodies = Object.entries(content).map(
    ([mediaType, { schema }]) =>
      `<p class="soft">${html(mediaType)}</p>${"$ref" in schema ? "" : schemaList(schema)}`,
  );
  return `<p><code>${html(status)}</code> ${html(description)}</p>${bodies.join("")}`;
}

/** Depth is bounded: a schema may refer to itself. */
function schemaList(schema: JsonSchemaNode, depth = 0): string {
  const inner = isNode(schema["items"]) ? schema["items"] : schema;
  const properties = isNode(inner["properties"]) ? Object.entries(inner["properties"]) : [];
  if (properties.length === 0 || depth > 6) return depth === 0 ? `<p>${typeWords(schema)}</p>` : "";
  const required = Array.isArray(inner["required"]) ? inner["required"] : [];
  const rows = properties.map(([name, node]) => {
    const child = isNode(node) ? node : {};
    const need = required.includes(name) ? `, required` : "";
    return `<li><code>${html(name)}</code> ${typeWords(child)}<span class="soft">${need}</span>${schemaList(child, depth + 1)}</li>`;
  });
  return `<ul class="schema">${rows.join("")}</ul>`;
}

/** A schema's kind and bounds in a few words: `string, 1–64 characters`. */
function typeWords(schema: JsonSchemaNode): string {
  const options = [schema["anyOf"], schema["oneOf"]].find((list) => Array.isArray(list));
  if (Array.isArray(options)) return options.filter(isNode).map(typeWords).join(" or ");
  if ("const" in schema) return `<code>${html(JSON.stringify(schema["const"]))}</code>`;
  if (Array.isArray(schema["enum"])) {
    return schema["enum"].map((value) => `<code>${html(JSON.stringify(value))}</code>`).join(" ");
  }
  const words = [named(schema["format"]) ?? named(schema["type"]) ?? "any"];
  const low = schema["minLength"] ?? schema["minimum"] ?? schema["minItems"];
  const high = schema["maxLength"] ?? schema["maximum"] ?? schema["maxItems"];
  if (typeof low === "number") words.push(`from ${low}`);
  if (typeof high === "number") words.push(`to ${high}`);
  if ("default" in schema) words.push(`default ${JSON.stringify(schema["default"])}`);
  return `<span class="soft">${html(words.join(", "))}</span>`;
}

function named(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function isNode(value: unknown): value is JsonSchemaNode {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Text as HTML text or attribute value. */
function html(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}
