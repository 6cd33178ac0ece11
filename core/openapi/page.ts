/**
 * The OpenAPI document as one readable page: no script, nothing loaded, one inline style.
 *
 * Everything that comes from the document passes `html`, the only place where text becomes markup.
 */
import type { OpenApiDocument, OpenApiResponse, Operation, Parameter } from "./document.ts";
import { PROBLEMS } from "../problem.ts";
import { html, schemaList, typeWords } from "./schema-list.ts";

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
pre { overflow-x: auto; background: var(--code); border-radius: 0.4rem; padding: 0.5rem; }
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
  const problems = Object.entries(PROBLEMS).map(
    ([code, { status, title: said }]) => `<li>${status} <code>${code}</code> ${html(said)}</li>`,
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
<nav aria-label="Nouns"><ul>${entries.join("")}<li><a href="#problems">problems</a></li></ul></nav>
<main>
<section aria-labelledby="start"><h2 id="start">How to ask</h2>
<p>Send a key as <code>authorization: Bearer …</code> or <code>x-api-key</code>.</p>
<pre><code>${html(example(document))}</code></pre>
<p>Send a change with <code>if-match</code> and the <code>etag</code> you read; a POST with an <code>idempotency-key</code> if it may be sent again. A list goes on with <code>?cursor=</code> and the <code>next_cursor</code> it gave.</p>
</section>
${sections.join("")}
<section aria-labelledby="problems"><h2 id="problems">problems</h2>
<ul class="schema">${problems.join("")}</ul></section>
</main>
</body>
</html>
`;
}

/** A line to copy: the first list of the document. */
function example({ servers, paths }: OpenApiDocument): string {
  const listed = Object.entries(paths).find(([, { get }]) => get && get["x-scope"] !== "open");
  return `curl -s ${servers[0]?.url ?? ""}${listed?.[0] ?? "/health"} -H "authorization: Bearer $KEY"`;
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
  const [{ schema } = {}] = Object.values(requestBody?.content ?? {});
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
