/** F197: nothing that opens anything stands in the repository, and the example says what to set. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { parseKey } from "../core/keys/format.ts";

const ROOT = dirname(import.meta.dirname);
/** Made by tools, or of somebody's own machine; `.gitignore` names them. */
const NOT_OURS = new Set(["node_modules", "dist", ".git", ".berth", ".wrangler", "coverage"]);
const LARGEST_BYTES = 2_000_000;
/** Published test vectors: their private keys are everybody's. */
const PUBLISHED = /^tests\/fixtures\/vectors\//;

const files = filesBelow(ROOT).map((path) => ({
  path: relative(ROOT, path),
  text: readFileSync(path, "utf8").slice(0, LARGEST_BYTES),
}));

function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (NOT_OURS.has(entry.name) || entry.name === ".dev.vars") return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}

/** Settings that are secrets, by the example's own word. */
const example = readFileSync(join(ROOT, ".dev.vars.example"), "utf8");
const SECRETS = [
  "PLATFORM_KEY",
  "MASTER_KEY",
  "TOKEN_SIGNING_JWK",
  "DATABASE_URL",
  "MAIL_API_KEY",
  "CLOUDFLARE_API_TOKEN",
];

describe("F197: the repository", () => {
  it("holds no private key and no credential of a known form", () => {
    const forms = [
      /-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=\s]{40}/,
      /\bAKIA[0-9A-Z]{16}\b/,
      /\bgh[pousr]_[A-Za-z0-9]{36}\b/,
      /\bxox[baprs]-[A-Za-z0-9-]{20}/,
      /\bsk-(?:proj-|ant-)?[A-Za-z0-9]{32}/,
      /"d"\s*:\s*"[A-Za-z0-9_-]{40,}"/,
    ];
    const own = files.filter(({ path }) => !PUBLISHED.test(path));
    const found = own.filter(({ text }) => forms.some((form) => form.test(text)));
    expect(found.map(({ path }) => path)).toEqual([]);
  });

  it("holds no API key of ours whose check sum is right", () => {
    const keys = files.flatMap(({ path, text }) =>
      [...text.matchAll(/berth_live_[0-9a-z]{26}_[0-9A-Za-z]{49}/g)]
        .filter(([key]) => parseKey(key) !== undefined)
        .map(() => path),
    );
    expect(keys).toEqual([]);
  });

  it("sets no secret, neither in the example nor for the Worker", () => {
    const given = new RegExp(`^\\s*(?:${SECRETS.join("|")})\\s*=\\s*["']?[^\\s"'#]`, "m");
    const settings = files.filter(({ path }) =>
      /(?:\.toml|\.env|\.vars|vars\.example)$/.test(path),
    );
    expect(settings.length).toBeGreaterThan(1);
    expect(settings.filter(({ text }) => given.test(text)).map(({ path }) => path)).toEqual([]);
  });

  it("keeps an example that names each secret, and never the file it is copied to", () => {
    const named = SECRETS.filter((name) => new RegExp(`^#${name}=$`, "m").test(example));
    expect(named).toEqual(SECRETS);
    const ignored = readFileSync(join(ROOT, ".gitignore"), "utf8").split("\n");
    expect(ignored).toEqual(expect.arrayContaining([".dev.vars", ".berth/"]));
  });
});
