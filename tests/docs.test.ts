/** What the documents list is what the code has: nothing missing, nothing made up. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { getTableName } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { SCOPES } from "../core/principals/contract.ts";
import { PROBLEMS } from "../core/problem.ts";
import { CLOSE } from "../core/sessions/frames.ts";
import { FAULT_POINTS } from "../durable-objects/agent-runtime/faults.ts";
import { TABLES } from "../migrations/tables.ts";
import { app } from "../workers/app.ts";
import { DEPLOYMENT_STAGES } from "../workers/jobs/deployments.ts";
import { readSources } from "./source-tree.ts";

const ROOT = dirname(import.meta.dirname);
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

/** The Markdown of the project, by path from the root. */
const pages: ReadonlyMap<string, string> = new Map(
  [".", "docs", "docs/decisions", "bench"].flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .filter((name) => name.endsWith(".md"))
      .map((name) => relative(ROOT, join(ROOT, folder, name)))
      .map((path) => [path, read(path)] as const),
  ),
);

/** A page's part under a heading of the second level. */
function section(path: string, heading: string): string {
  const page = pages.get(path) ?? "";
  const start = page.indexOf(`\n## ${heading}\n`);
  if (start === -1) return "";
  const end = page.indexOf("\n## ", start + 1);
  return page.slice(start, end === -1 ? undefined : end);
}

/** First cells of a table's rows that are a name in backticks, with the cell after it. */
function rows(text: string): ReadonlyMap<string, string> {
  const found = text.matchAll(/^\| (`[^|]+`) \| ([^|]*) \|/gm);
  return new Map(
    [...found].flatMap(([, names = "", next = ""]) =>
      [...names.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => [name, next.trim()] as const),
    ),
  );
}

const sorted = (names: Iterable<string>): readonly string[] => [...names].sort();

describe("lists", () => {
  it("docs/errors.md has every problem code with its status", () => {
    const documented = rows(section("docs/errors.md", "Codes"));
    const codes = Object.entries(PROBLEMS).map(([code, { status }]) => [code, String(status)]);
    expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(codes));
  });

  it("docs/chat-protocol.md has every code a socket is closed with", () => {
    const documented = section("docs/chat-protocol.md", "Why a socket is closed");
    const codes = new Set(documented.match(/\b\d{4}\b/g));
    expect(Object.values(CLOSE).filter((code) => !codes.has(String(code)))).toEqual([]);
  });

  it("docs/operating.md, .dev.vars.example and the local server have every setting", () => {
    const settings = read("core/config.ts").matchAll(/read\.(?:text|json|list)\(\s*"([A-Z_]+)"/g);
    const names = sorted(new Set([...settings].map(([, name = ""]) => name)));
    expect(sorted(rows(section("docs/operating.md", "Configuration")).keys())).toEqual(names);
    const example = read(".dev.vars.example").matchAll(/^#?([A-Z_]+)=/gm);
    expect(sorted([...example].map(([, name = ""]) => name))).toEqual(names);
    const local = /const SETTINGS = \[([^\]]*)\]/.exec(read("tools/settings.ts"))?.[1] ?? "";
    expect(sorted(local.match(/[A-Z_]+/g) ?? [])).toEqual(names);
  });

  it("docs/storage.md has every table of the control plane", () => {
    const documented = rows(section("docs/storage.md", "Control plane")).keys();
    expect(sorted(documented)).toEqual(sorted(TABLES.map(getTableName)));
  });

  it("docs/storage.md has every table of an agent's object", () => {
    const written = ["meta.ts", "tables.ts", "memory/tables.ts"].map((name) =>
      read(`durable-objects/agent-runtime/${name}`),
    );
    const made = written.join("").matchAll(/CREATE TABLE (?:IF NOT EXISTS )?(\w+)/g);
    const documented = rows(section("docs/storage.md", "Agent's object")).keys();
    expect(sorted(documented)).toEqual(sorted(new Set([...made].map(([, name = ""]) => name))));
  });

  it("docs/storage.md has every table of a tenant's gate", () => {
    const made = read("durable-objects/tenant-gate/tables.ts").matchAll(
      /CREATE TABLE (?:IF NOT EXISTS )?(\w+)/g,
    );
    const documented = rows(section("docs/storage.md", "Tenant's gate")).keys();
    expect(sorted(documented)).toEqual(sorted(new Set([...made].map(([, name = ""]) => name))));
  });

  it("ARCHITECTURE.md has every group of routes", () => {
    const groups = new Set(app.routes().map(({ path }) => groupOf(path)));
    expect(sorted(rows(section("ARCHITECTURE.md", "Routes")).keys())).toEqual(sorted(groups));
  });

  it("F196: docs/security-review.md looks at every group of routes, with tests that are there", () => {
    const groups = new Set(app.routes().map(({ path }) => groupOf(path)));
    const reviewed = rows(section("docs/security-review.md", "By group of routes"));
    expect(sorted([...groups].filter((group) => !reviewed.has(group)))).toEqual([]);
    const tests = section("docs/security-review.md", "By threat").matchAll(
      /`([\w/-]+\.test\.ts)`/g,
    );
    const named = sorted(new Set([...tests].map(([, path = ""]) => path)));
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  it("docs/security.md has every scope, docs/guarantees.md every fault point", () => {
    const points = [...FAULT_POINTS, ...DEPLOYMENT_STAGES.map((stage) => `deployment-${stage}`)];
    const named = section("docs/guarantees.md", "Fault points");
    expect(points.filter((point) => !named.includes(`\`${point}\``))).toEqual([]);
    const credentials = section("docs/security.md", "Credentials");
    expect(SCOPES.filter((scope) => !credentials.includes(`\`${scope}\``))).toEqual([]);
  });

  it("docs/decisions/README.md has every decision", () => {
    const index = pages.get("docs/decisions/README.md") ?? "";
    const decisions = [...pages.keys()].filter((path) => /\/\d{4}-[a-z-]+\.md$/.test(path));
    expect(decisions.length).toBeGreaterThan(0);
    expect(decisions.filter((path) => !index.includes(`(${path.split("/").at(-1)})`))).toEqual([]);
  });
});

describe("what a page refers to", () => {
  it("is there: links", () => {
    const broken = [...pages].flatMap(([path, text]) =>
      [...text.matchAll(/\]\((?!https?:)([^)#\s]+)(?:#[^)\s]*)?\)/g)]
        .map(([, target = ""]) => target)
        .filter((target) => !existsSync(resolve(ROOT, dirname(path), target)))
        .map((target) => `${path} → ${target}`),
    );
    expect(broken).toEqual([]);
  });

  it("is there: files of the project, named from its root", () => {
    const named =
      /`((?:core|workers|durable-objects|tests|tools|bench|migrations|docs|web)\/[\w./-]+\.\w+)`/g;
    const missing = [...pages].flatMap(([path, text]) =>
      [...text.matchAll(named)]
        .map(([, file = ""]) => file)
        .filter((file) => !existsSync(join(ROOT, file)))
        .map((file) => `${path} → ${file}`),
    );
    expect(missing).toEqual([]);
  });
});

describe("what a comment cites", () => {
  const comments = readSources().map(({ path }) => ({ path, text: read(path) }));
  const cited = (pattern: RegExp): readonly string[] =>
    comments.flatMap(({ text }) => [...text.matchAll(pattern)].map(([, what = ""]) => what));

  it("a rule of DECISIONS stands among the numbered rules", () => {
    const rules = section("docs/decisions/README.md", "Numbered rules");
    const lists = cited(/DECISIONS ((?:\d+(?:, | and )?)+)/g);
    const numbers = lists.flatMap((list) => [...list.matchAll(/\d+/g)].map(([n]) => n));
    expect(numbers.length).toBeGreaterThan(0);
    expect(sorted(new Set(numbers.filter((n) => !rules.includes(`\n| ${n} |`))))).toEqual([]);
  });

  it("a promise, a failure point or a measured fact stands in docs/guarantees.md", () => {
    const page = pages.get("docs/guarantees.md") ?? "";
    const names = [
      ...cited(/\b(G[1-9]\d?)\b/g),
      ...cited(/\brows? (\d+)\b/g),
      ...cited(/GUARANTEES (E\d+)\b/g),
    ];
    expect(names.length).toBeGreaterThan(0);
    expect(sorted(new Set(names.filter((name) => !page.includes(`\n| ${name} |`))))).toEqual([]);
  });

  it("no number of docs/guarantees.md means two promises", () => {
    const page = pages.get("docs/guarantees.md") ?? "";
    const numbers = [...page.matchAll(/^\| ([GE]\d+|\d+) \|/gm)].map(([, n = ""]) => n);
    expect(numbers.length).toBeGreaterThan(60);
    expect(numbers.filter((n, i) => numbers.indexOf(n) !== i)).toEqual([]);
  });
});

/** `/v1/agents/:id` belongs to `/v1/agents`, `/a/:agent/invoke` to `/a`. */
function groupOf(path: string): string {
  const [first = "", second = ""] = path.slice(1).split("/");
  return first === "v1" ? `/v1/${second}` : `/${first}`;
}
