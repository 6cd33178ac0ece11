/** The settings of a local server: what is given, what .dev.vars says, and keys made once. */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";

export type Vars = Readonly<Record<string, string>>;

/** Everything `core/config.ts` reads; nothing else of the environment reaches the Worker. */
const SETTINGS = [
  "PORT",
  "STATE_DIR",
  "ENVIRONMENT",
  "BASE_DOMAIN",
  "CONTROL_PLANE",
  "DATABASE_URL",
  "CREDENTIAL_CACHE_MS",
  "EGRESS_ALLOW",
  "FAULT_POINTS",
  "IMPORT_MAX_BYTES",
  "BENCH_COUNTERS",
  "MODEL_PROVIDERS",
  "TIERS",
  "DNS_RESOLVER_URL",
  "CLOUDFLARE_API_URL",
  "CLOUDFLARE_ZONE_ID",
  "CLOUDFLARE_API_TOKEN",
  "TOKEN_ISSUERS",
  "MAIL_API_URL",
  "MAIL_API_KEY",
  "MAIL_FROM",
  "SIGN_UP",
  "TOKEN_SIGNING_JWK",
  "PLATFORM_KEY",
  "MASTER_KEY",
] as const;

/** `.dev.vars` under the process's own environment: the command line wins. */
export function settingsOf(env: NodeJS.ProcessEnv, root: string): Vars {
  const file = join(root, ".dev.vars");
  const kept = existsSync(file) ? parseEnv(readFileSync(file, "utf8")) : {};
  const found: Record<string, string> = {};
  for (const name of SETTINGS) {
    const value = env[name] ?? kept[name];
    if (value !== undefined && value !== "") found[name] = value;
  }
  return found;
}

/**
 * The keys a local server needs and nobody gave it: made at the first start, kept in the state
 * folder, readable by its owner alone. Losing them makes what they sealed unreadable.
 */
export function keptKeys(stateDir: string): Vars {
  const file = join(stateDir, "config.json");
  const kept: Record<string, string> = existsSync(file)
    ? JSON.parse(readFileSync(file, "utf8"))
    : {};
  const keys: Vars = {
    PLATFORM_KEY: kept["PLATFORM_KEY"] ?? `berth_platform_${random("base64url")}`,
    MASTER_KEY: kept["MASTER_KEY"] ?? `local-1:${random("base64")}`,
    TOKEN_SIGNING_JWK: kept["TOKEN_SIGNING_JWK"] ?? JSON.stringify(signingKey()),
  };
  if (Object.keys(keys).some((name) => kept[name] === undefined)) {
    const fresh = `${file}.${process.pid}`;
    writeFileSync(fresh, `${JSON.stringify({ ...kept, ...keys }, undefined, 2)}\n`, {
      mode: 0o600,
    });
    renameSync(fresh, file);
  }
  return keys;
}

function random(encoding: "base64" | "base64url"): string {
  return randomBytes(32).toString(encoding);
}

function signingKey(): Readonly<Record<string, unknown>> {
  const { privateKey } = generateKeyPairSync("ed25519");
  const kid = `local-${random("base64url").slice(0, 8)}`;
  return { ...privateKey.export({ format: "jwk" }), alg: "EdDSA", use: "sig", kid };
}
