/** The project's own sources and what each imports, read as text: no compiler API is needed. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const FOLDERS = ["core", "workers", "durable-objects", "web", "clients", "tools", "tests", "bench"];

export type Import = {
  /** Path from the root for a relative import, else the specifier as it stands. */
  readonly target: string;
  readonly typeOnly: boolean;
};

export type Source = {
  /** From the root, with forward slashes. */
  readonly path: string;
  readonly lines: number;
  readonly imports: readonly Import[];
  /** Text without comments; strings are emptied, so that only code can match. */
  readonly code: string;
  /** Text without comments, strings kept. */
  readonly text: string;
};

/** Every TypeScript file of the project; generated and built ones left out. */
export function readSources(): readonly Source[] {
  return FOLDERS.flatMap((folder) => filesBelow(folder)).map((path) =>
    sourceOf(path, readFileSync(join(ROOT, path), "utf8")),
  );
}

export function sourceOf(path: string, raw: string): Source {
  const { text, code } = strip(raw);
  return { path, lines: raw.split("\n").length - 1, imports: importsOf(path, text), code, text };
}

function filesBelow(folder: string): readonly string[] {
  let entries;
  try {
    entries = readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true });
  } catch {
    return [];
  }
  return entries
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
    .filter((path) => !/(^|\/)(node_modules|dist)\//.test(path) && !path.includes(".generated."))
    .sort();
}

const FROM = /(?:^|[\n;}])\s*(import|export)\s+(type\s)?([^;"']*?)\s*from\s*["']([^"'\n]+)["']/g;
const BARE = /(?:^|[\n;}])\s*import\s*["']([^"'\n]+)["']/g;
const DYNAMIC = /\bimport\s*\(\s*["']([^"'\n]+)["']/g;

function importsOf(path: string, text: string): readonly Import[] {
  const found: Import[] = [];
  for (const [, , type, names = "", target = ""] of text.matchAll(FROM)) {
    found.push({ target: resolved(path, target), typeOnly: type !== undefined || allTypes(names) });
  }
  for (const pattern of [BARE, DYNAMIC]) {
    for (const [, target = ""] of text.matchAll(pattern)) {
      found.push({ target: resolved(path, target), typeOnly: false });
    }
  }
  return found;
}

/** `{ type A, type B }` imports nothing at run time. */
function allTypes(names: string): boolean {
  const inner = /^\{(.*)\}$/s
    .exec(names.trim())?.[1]
    ?.split(",")
    .map((name) => name.trim());
  const named = inner?.filter((name) => name !== "") ?? [];
  return named.length > 0 && named.every((name) => name.startsWith("type "));
}

function resolved(path: string, target: string): string {
  return target.startsWith(".") ? posix.join(posix.dirname(path), target) : target;
}

const TOKENS =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|(?<=[=(,:;!&|?{}[\n]\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/g;

/**
 * Comments out, and strings emptied, in one pass, so that a quote inside a comment or a comment
 * inside a string misleads nobody. A template's placeholders count as part of its string.
 */
function strip(raw: string): { readonly text: string; readonly code: string } {
  const comment = (token: string): boolean => token.startsWith("//") || token.startsWith("/*");
  const newlines = (token: string): string => token.replaceAll(/[^\n]/g, "");
  return {
    text: raw.replaceAll(TOKENS, (token) => (comment(token) ? newlines(token) : token)),
    code: raw.replaceAll(TOKENS, (token) => {
      if (comment(token)) return newlines(token);
      return token.startsWith("/") ? "/ /" : token.slice(0, 1) + newlines(token) + token.slice(-1);
    }),
  };
}
