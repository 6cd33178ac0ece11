import { describe, expect, it } from "vitest";
import { readSources, sourceOf } from "./source-tree.ts";
import type { Source } from "./source-tree.ts";

const sources = readSources();
const product = sources.filter(({ path }) => !isTest(path));
const core = product.filter(({ path }) => path.startsWith("core/"));

/** Core modules any noun may use. */
const GROUND =
  /^core\/(?:(?:problem|ids|clock|page|config|names)\.ts$|(?:db|seal|principals|json)\/)/;
/** What a store is made of: statements, the tables they speak of, and pieces of statements. */
const STORE = /^core\/[^/]+\/(?:store|table|live)[a-z-]*\.ts$/;
const CONTRACT = /^core\/[^/]+\/(?:contract|spec|frames)\.ts$/;

describe("the import rule", () => {
  it("runs workers → durable-objects → core, never back", () => {
    const above = (path: string): number =>
      ["core/", "durable-objects/", "workers/"].findIndex((folder) => path.startsWith(folder));
    expect(
      edges(product)
        .filter(({ from, to }) => above(from) >= 0 && above(to) > above(from))
        .map(shown),
    ).toEqual([]);
  });

  it("lets a noun use the ground, its own modules and what other nouns promise", () => {
    const offences = edges(core).filter(({ from, to, typeOnly }) => {
      if (!to.startsWith("core/") || nounOf(from) === nounOf(to)) return false;
      // A change of several nouns is one batch of one store: D1 has no other transaction.
      if (STORE.test(from) && STORE.test(to)) return false;
      return !(GROUND.test(to) || CONTRACT.test(to) || typeOnly || mayReach(from, to));
    });
    expect(offences.map(shown)).toEqual([]);
  });

  it("keeps core pure", () => {
    const offences = core.flatMap(({ path, imports }) =>
      imports
        .filter(({ target }) => /^(?:hono|agents|cloudflare:|node:|@hono)/.test(target))
        .map(({ target }) => `${path} → ${target}`),
    );
    expect(offences).toEqual([]);
  });

  it("K2: lets every effect of a run pass the one port that counts them", () => {
    const effect = /\b(?:model\.answer|tool\.call|lookup|upstream\.send)\(/g;
    const calls = product
      .filter(({ path }) => path.startsWith("durable-objects/agent-runtime/"))
      .flatMap(({ path, code }) =>
        [...code.matchAll(effect)].map(({ index }) => ({
          path,
          counted: /perform\([^;]*$/.test(code.slice(Math.max(0, index - 120), index)),
        })),
      );
    expect(calls.filter(({ counted }) => counted).length).toBeGreaterThanOrEqual(4);
    expect(calls.filter(({ counted }) => !counted)).toEqual([]);
  });

  it("gives browsers and clients contracts and nothing else of core", () => {
    const outside = product.filter(({ path }) => /^(?:web|clients)\//.test(path));
    const offences = edges(outside).filter(
      ({ to }) =>
        /^(?:core|workers|durable-objects|tools|tests|bench)\//.test(to) &&
        !CONTRACT.test(to) &&
        !/^core\/(?:problem|page|ids)\.ts$/.test(to),
    );
    expect(offences.map(shown)).toEqual([]);
  });

  it("shows the classes of Durable Objects to workers/main.ts alone", () => {
    const offences = edges(product).filter(
      ({ from, to, typeOnly }) =>
        /^durable-objects\/[^/]+\/object\.ts$/.test(to) &&
        from !== "workers/main.ts" &&
        !from.startsWith("durable-objects/") &&
        !typeOnly,
    );
    expect(offences.map(shown)).toEqual([]);
  });

  it("keeps tools, tests and benchmarks out of the product", () => {
    const offences = edges(product.filter(({ path }) => isShipped(path))).filter(({ to }) =>
      /^(?:tools|tests|bench)\//.test(to),
    );
    expect(offences.map(shown)).toEqual([]);
  });

  it("has no cycle", () => {
    expect(cycle(sources)).toBeUndefined();
  });
});

describe("the shape of files", () => {
  it("has no file named for nothing", () => {
    const refused = /^(?:utils?|helpers?|common|shared|misc|lib|types|index)\.tsx?$/;
    expect(sources.map(({ path }) => path).filter((path) => refused.test(last(path)))).toEqual([]);
  });

  it("has no barrel: a module that only hands on others", () => {
    const barrels = product.filter(
      ({ path, code }) =>
        path !== "workers/main.ts" &&
        /\bexport\s*(?:\*|\{[^}]*\}\s*from\b)/.test(code) &&
        !/\b(?:const|let|function|class|type|interface)\s+\w/.test(code),
    );
    expect(barrels.map(({ path }) => path)).toEqual([]);
  });

  it("keeps files under 500 lines", () => {
    const long = sources.filter(({ path, lines }) => lines > 500 && !(path in MAY_BE_LONG));
    expect(long.map(({ path, lines }) => `${path}: ${lines}`)).toEqual([]);
  });
});

describe("what stays in the shells", () => {
  it("keeps clocks, chance and bindings out of core", () => {
    const refused =
      /\bDate\.now\s*\(|\bnew Date\(\s*\)|\bMath\.random\b|\bperformance\.now\b|\bprocess\b/;
    expect(core.filter(({ code }) => refused.test(code)).map(({ path }) => path)).toEqual([]);
  });

  it("keeps SQL in stores, objects and the modules that take it as a port", () => {
    const statement =
      /["'`]\s*(?:SELECT\s|INSERT\s+(?:INTO|OR)|UPDATE\s+\w+\s+SET|DELETE\s+FROM|CREATE\s+(?:TABLE|INDEX|UNIQUE)|PRAGMA\s)/i;
    const allowed =
      /^(?:core\/[^/]+\/(?:store|table)[a-z-]*\.ts$|core\/db\/|core\/runs\/|durable-objects\/|tools\/(?:migrate|reset)\.ts$|migrations\/|bench\/)/;
    const offences = product.filter(
      ({ path, text }) => statement.test(text) && !allowed.test(path),
    );
    expect(offences.map(({ path }) => path)).toEqual([]);
  });

  it("builds queries in stores alone", () => {
    const offences = edges(product).filter(
      ({ from, to, typeOnly }) =>
        to.startsWith("drizzle-orm") &&
        !typeOnly &&
        !STORE.test(from) &&
        !from.startsWith("core/db/"),
    );
    expect(offences.map(shown)).toEqual([]);
  });
});

describe("the reader of sources", () => {
  it("sees every form of import, and none in comments or strings", () => {
    const { imports } = sourceOf(
      "core/a/b.ts",
      [
        'import { a, type B } from "../x.ts"; // from "./no.ts"',
        "import type { C } from './c.ts';",
        'import {\n  type D,\n  type E,\n} from "zod";',
        'import "side";',
        'export { f } from "./f.ts";',
        '/* import "no" */ const text = `import "no"`;',
        'const lazy = await import("../lazy.ts");',
      ].join("\n"),
    );
    expect(imports).toEqual([
      { target: "core/x.ts", typeOnly: false },
      { target: "core/a/c.ts", typeOnly: true },
      { target: "zod", typeOnly: true },
      { target: "core/a/f.ts", typeOnly: false },
      { target: "side", typeOnly: false },
      { target: "core/lazy.ts", typeOnly: false },
    ]);
  });

  it("is not misled by quotes in comments, comments in strings, or regular expressions", () => {
    const { code } = sourceOf(
      "core/a.ts",
      'const a = "// Date.now()"; // it\'s\nconst b = /["\'`]/.test(x); Math.random();',
    );
    expect(code).not.toContain("Date.now");
    expect(code).toContain("Math.random");
  });
});

/** Longer than 500 lines, each for its reason. */
const MAY_BE_LONG: Readonly<Record<string, string>> = {};

/** Uses across nouns that are the point of the module, each with its reason. */
const ACROSS: readonly { readonly from: RegExp; readonly to: RegExp; readonly why: string }[] = [
  {
    from: /^core\/hosts\//,
    to: /^core\/tenants\/slug\.ts$/,
    why: "which labels can be tenants is one rule, asked by the parser of hosts too",
  },
  {
    from: /^core\/clients\/(?:format|store-secrets)\.ts$/,
    to: /^core\/keys\/format\.ts$/,
    why: "a client's secret is made, checked and hashed as a key is, under a head of its own",
  },
  {
    from: /^core\/(?:console-sessions|tickets|refresh)\/store\.ts$/,
    to: /^core\/keys\/format\.ts$/,
    why: "sessions, refresh tokens and tickets are secrets made and hashed as keys are",
  },
  {
    from: /^core\/(?:mail\/link|passwords\/hash)\.ts$/,
    to: /^core\/keys\/format\.ts$/,
    why: "two hashes are compared in one way, in constant time",
  },
  {
    from: /^core\/audit\/checkpoint\.ts$/,
    to: /^core\/tokens\/jws\.ts$/,
    why: "a checkpoint is signed by the key of our tokens and opened as carefully as one",
  },
];

type Edge = { readonly from: string; readonly to: string; readonly typeOnly: boolean };

function edges(from: readonly Source[]): readonly Edge[] {
  return from.flatMap(({ path, imports }) =>
    imports.map(({ target, typeOnly }) => ({ from: path, to: target, typeOnly })),
  );
}

function mayReach(from: string, to: string): boolean {
  return ACROSS.some((rule) => rule.from.test(from) && rule.to.test(to));
}

function nounOf(path: string): string {
  return path.split("/").slice(0, 2).join("/");
}

function isTest(path: string): boolean {
  return (
    /\.test\.tsx?$/.test(path) || path.startsWith("tests/") || path.startsWith("core/db/suite")
  );
}

function isShipped(path: string): boolean {
  return /^(?:core|workers|durable-objects|web|clients)\//.test(path);
}

function shown({ from, to }: Edge): string {
  return `${from} → ${to}`;
}

function last(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** One cycle of run-time imports, as a path of files; undefined when there is none. */
function cycle(all: readonly Source[]): readonly string[] | undefined {
  const next = new Map(
    all.map(({ path, imports }) => [
      path,
      imports.filter((it) => !it.typeOnly).map((it) => it.target),
    ]),
  );
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): readonly string[] | undefined => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (done.has(path)) return undefined;
    for (const target of next.get(path) ?? []) {
      const found = visit(target, [...trail, path]);
      if (found !== undefined) return found;
    }
    done.add(path);
    return undefined;
  };
  for (const path of next.keys()) {
    const found = visit(path, []);
    if (found !== undefined) return found;
  }
  return undefined;
}
