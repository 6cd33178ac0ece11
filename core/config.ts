/**
 * Every setting there is, read in one place. A bad one is refused by its name; what it held is
 * never repeated, because half of these are secrets.
 *
 * The Worker parses its bindings once per isolate (`"worker"`); the local server parses its
 * environment at start (`"server"`), where keys may still be absent: it makes them and keeps them
 * in the state folder.
 */
import { z } from "zod";
import type { CloudflareZone } from "./hostnames/cloudflare.ts";
import { DEFAULT_TIERS, Tiers } from "./tiers/contract.ts";

/** A sealing key; the first configured one seals, all of them open. */
export type MasterKey = { readonly kid: string; readonly key: Uint8Array<ArrayBuffer> };

export type Environment = "local" | "production";

/** What both shells know. */
export type SharedConfig = {
  readonly environment: Environment;
  /** The apex, lower case, without a port. */
  readonly baseDomain: string;
  /** The apex as it stands in URLs, with its port when it has one. */
  readonly baseAuthority: string;
  /** `http` only where the apex is loopback. */
  readonly scheme: "http" | "https";
  readonly controlPlane: "d1" | "neon";
  readonly databaseUrl: string | undefined;
  readonly credentialCacheMs: number;
  /** `host:port` pairs that local runs may reach although they are inside. */
  readonly egressAllow: readonly string[];
  /** Fault points that are armed, by name; local runs only. */
  readonly faultPoints: readonly string[];
  /** Count rows, object calls and queries, and tell them at `/__counters`; local runs only. */
  readonly benchCounters: boolean;
  /** Largest file a tenant is imported from. */
  readonly importMaxBytes: number;
  /** Providers every tenant's agents may name; a tenant's own of the same slug goes first. */
  readonly modelProviders: readonly ModelProvider[];
  readonly tiers: Tiers;
  /** Asked for the DNS records of tenants' own hostnames. */
  readonly dnsResolverUrl: string;
  /** The zone that custom hostnames are made in; undefined where an own front serves them. */
  readonly cloudflare: CloudflareZone | undefined;
  readonly tokenIssuers: readonly TokenIssuer[];
  /** Undefined: mail is kept until it has expired, and nobody is written to. */
  readonly mail: MailConfig | undefined;
  /** May anybody sign up with a tenant of their own? */
  readonly signUpOpen: boolean;
  /** Signs our own tokens: the first of `tokenKeys`. */
  readonly tokenSigningJwk: SigningJwk | undefined;
  /** Every key our own tokens are verified with; all of them are published. */
  readonly tokenKeys: readonly TokenJwk[];
};

/** An HTTP API that sends mail: `POST {from, to, subject, text}` with a bearer key. */
export type MailConfig = { readonly url: string; readonly key: string; readonly from: string };

export type Config = SharedConfig & {
  readonly platformKey: string;
  readonly masterKeys: readonly MasterKey[];
};

export type ServerConfig = SharedConfig & {
  readonly port: number;
  readonly stateDir: string;
  readonly platformKey: string | undefined;
  readonly masterKeys: readonly MasterKey[];
};

/** Carries the names of the refused settings and why, never their content. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly settings: readonly string[];
  constructor(refused: readonly { readonly setting: string; readonly reason: string }[]) {
    super(refused.map(({ setting, reason }) => `${setting} ${reason}`).join("; "));
    this.settings = refused.map(({ setting }) => setting);
  }
}

/** Algorithms a trusted issuer may be pinned to. `HS256` needs a `jwk`: there is no public half. */
export const TokenAlg = z.enum(["EdDSA", "ES256", "ES384", "RS256", "PS256", "HS256"]);
export type TokenAlg = z.infer<typeof TokenAlg>;

const Jwk = z.looseObject({ kty: z.string(), kid: z.string().min(1).max(128).optional() });

/** One issuer outside whose tokens are accepted; algorithm, audience and type are pinned. */
const TokenIssuer = z
  .strictObject({
    issuer: z.url(),
    audience: z.string().min(1).max(512),
    alg: TokenAlg,
    typ: z.enum(["at+jwt", "JWT"]).default("at+jwt"),
    /** The claim that names the tenant, by id or slug. */
    tenant_claim: z.string().min(1).max(64).default("tenant_id"),
    jwks_uri: z.url({ protocol: /^https?$/ }).optional(),
    jwk: Jwk.optional(),
  })
  .refine((it) => (it.jwk === undefined) !== (it.jwks_uri === undefined))
  .refine((it) => it.alg !== "HS256" || it.jwk !== undefined);
export type TokenIssuer = z.infer<typeof TokenIssuer>;

/** A model provider of the installation: any address that speaks OpenAI chat completions. */
const ModelProvider = z.strictObject({
  slug: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,39}$/)
    .refine((slug) => slug !== "local"),
  base_url: z.url({ protocol: /^https?$/ }),
  api_key: z.string().min(1).max(4096).optional(),
});
type ModelProvider = z.infer<typeof ModelProvider>;

const ModelProviders = z
  .array(ModelProvider)
  .max(50)
  .refine((list) => new Set(list.map(({ slug }) => slug)).size === list.length);

/** One entry per issuer, so that which algorithm is pinned is no question. */
const TokenIssuers = z
  .array(TokenIssuer)
  .max(32)
  .refine((all) => new Set(all.map(({ issuer }) => issuer)).size === all.length);

const TokenKid = z.string().min(1).max(128);
const Ed25519Jwk = z.looseObject({
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  x: z.string().min(1),
  kid: TokenKid,
});
const P256Jwk = z.looseObject({
  kty: z.literal("EC"),
  crv: z.literal("P-256"),
  x: z.string().min(1),
  y: z.string().min(1),
  kid: TokenKid,
});

/** The private key our own tokens are signed with: Ed25519 or P-256. */
const SigningJwk = z.union([
  Ed25519Jwk.extend({ d: z.string().min(1) }),
  P256Jwk.extend({ d: z.string().min(1) }),
]);
export type SigningJwk = z.infer<typeof SigningJwk>;

/** A key that verifies; whether it has a private half is of no matter. */
const TokenJwk = z.union([Ed25519Jwk, P256Jwk]);
export type TokenJwk = z.infer<typeof TokenJwk>;

/**
 * One key, or `{"keys": […]}` while a rotation lasts: the first signs, all of them verify and are
 * published. A key that signs later stands behind it already; one that signed before stays until
 * its last token has expired, with its private half or without.
 */
const TokenKeys = z.union([
  SigningJwk.transform((key) => ({ signing: key, all: [key] })),
  z
    .strictObject({ keys: z.tuple([SigningJwk], TokenJwk) })
    .refine(({ keys }) => keys.length <= 5)
    .refine(({ keys }) => new Set(keys.map(({ kid }) => kid)).size === keys.length)
    .transform(({ keys }) => ({ signing: keys[0], all: [...keys] })),
]);

/** Names that never leave the machine. @source RFC 6761 §6.3 */
const LOOPBACK = /(?:^|\.)localhost$/;
const AUTHORITY = /^(?=.{1,259}$)[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[1-9][0-9]{0,4})?$/;
const HOST_AND_PORT = /^[a-z0-9.-]{1,253}:[1-9][0-9]{0,4}$/;
const MASTER_KEY = /^([A-Za-z0-9_-]{1,32}):([A-Za-z0-9+/]{43}=)$/;
const FAULT_POINT = /^[a-z0-9-]{1,64}$/;

/** The Worker's settings. @throws ConfigError */
export function parseConfig(vars: Record<string, unknown>, mode: "worker"): Config;
/** The local server's settings. @throws ConfigError */
export function parseConfig(vars: Record<string, unknown>, mode: "server"): ServerConfig;
export function parseConfig(
  vars: Record<string, unknown>,
  mode: "worker" | "server",
): Config | ServerConfig {
  const read = new Reader(vars);
  const shared = parseShared(read);
  const production = shared.environment === "production";
  const required = mode === "worker" || production;
  const platformKey = read.text("PLATFORM_KEY", PlatformKey, required);
  const masterKeys = parseMasterKeys(read, required);
  if (mode === "worker") {
    read.finish();
    return { ...shared, platformKey: platformKey ?? "", masterKeys };
  }
  const port = read.text("PORT", Port, false) ?? 8787;
  const stateDir = read.text("STATE_DIR", z.string().max(4096), false) ?? ".berth";
  read.finish();
  return { ...shared, port, stateDir, platformKey, masterKeys };
}

const PlatformKey = z.string().regex(/^[\x21-\x7e]{32,512}$/);
const Port = z
  .string()
  .regex(/^[1-9][0-9]{0,4}$/)
  .transform(Number)
  .pipe(z.number().max(65_535));
const Milliseconds = z
  .string()
  .regex(/^[0-9]{1,4}$/)
  .transform(Number)
  .pipe(z.number().max(5000));
const Bytes = z
  .string()
  .regex(/^[1-9][0-9]{0,12}$/)
  .transform(Number);
const WebUrl = z.url({ protocol: /^https?$/ }).transform((url) => url.replace(/\/+$/, ""));
const CLOUDFLARE_API_URL = "https://api.cloudflare.com/client/v4";
const ZoneId = z.string().regex(/^[0-9a-f]{32}$/);
const ApiToken = z.string().regex(/^[\x21-\x7e]{20,200}$/);
const DatabaseUrl = z.url({ protocol: /^postgres(ql)?$/ });

function parseShared(read: Reader): SharedConfig {
  const environment = read.text("ENVIRONMENT", z.enum(["local", "production"]), false) ?? "local";
  const production = environment === "production";
  const authority = read.text("BASE_DOMAIN", z.string().regex(AUTHORITY), true) ?? "";
  const baseDomain = authority.split(":", 1)[0] ?? "";
  const controlPlane = read.text("CONTROL_PLANE", z.enum(["d1", "neon"]), false) ?? "d1";
  const tokenKeys = read.json("TOKEN_SIGNING_JWK", TokenKeys, production);
  const shared: SharedConfig = {
    environment,
    baseDomain,
    baseAuthority: authority,
    scheme: LOOPBACK.test(baseDomain) ? "http" : "https",
    controlPlane,
    databaseUrl: read.text("DATABASE_URL", DatabaseUrl, controlPlane === "neon"),
    credentialCacheMs: read.text("CREDENTIAL_CACHE_MS", Milliseconds, false) ?? 5000,
    egressAllow: read.list("EGRESS_ALLOW", HOST_AND_PORT),
    faultPoints: read.list("FAULT_POINTS", FAULT_POINT),
    importMaxBytes: read.text("IMPORT_MAX_BYTES", Bytes, false) ?? 1_073_741_824,
    benchCounters: read.text("BENCH_COUNTERS", z.literal("1"), false) === "1",
    modelProviders: read.json("MODEL_PROVIDERS", ModelProviders, false) ?? [],
    dnsResolverUrl:
      read.text("DNS_RESOLVER_URL", WebUrl, false) ?? "https://cloudflare-dns.com/dns-query",
    cloudflare: parseCloudflare(read),
    tiers: read.json("TIERS", Tiers, false) ?? DEFAULT_TIERS,
    tokenIssuers: read.json("TOKEN_ISSUERS", TokenIssuers, false) ?? [],
    mail: parseMail(read, production),
    signUpOpen:
      (read.text("SIGN_UP", z.enum(["open", "closed"]), false) ??
        (production ? "closed" : "open")) === "open",
    tokenSigningJwk: tokenKeys?.signing,
    tokenKeys: tokenKeys?.all ?? [],
  };
  if (production) refuseLocalOnly(read, shared);
  return shared;
}

function refuseLocalOnly(read: Reader, shared: SharedConfig): void {
  if (shared.scheme === "http") read.refuse("BASE_DOMAIN", "cannot be loopback in production");
  if (shared.egressAllow.length > 0) read.refuse("EGRESS_ALLOW", "is for local runs only");
  if (shared.faultPoints.length > 0) read.refuse("FAULT_POINTS", "is for local runs only");
  if (shared.benchCounters) read.refuse("BENCH_COUNTERS", "is for local runs only");
  const plain = shared.tokenIssuers.some((it) => it.jwks_uri?.startsWith("http:"));
  if (plain) read.refuse("TOKEN_ISSUERS", "must name https key sets in production");
}

/** All three or none. */
function parseMail(read: Reader, production: boolean): MailConfig | undefined {
  const protocol = production ? /^https$/ : /^https?$/;
  const url = read.text("MAIL_API_URL", z.url({ protocol }).max(2000), false);
  const key = read.text(
    "MAIL_API_KEY",
    z.string().regex(/^[\x21-\x7e]{1,512}$/),
    url !== undefined,
  );
  const from = read.text("MAIL_FROM", MailFrom, url !== undefined);
  if (url === undefined || key === undefined || from === undefined) return undefined;
  return { url, key, from };
}

/** `berth@example.com`, or `Berth <berth@example.com>`; nothing that could begin another header. */
const MailFrom = z
  .string()
  .max(320)
  .regex(/^[^\p{Cc}<>]*<?[^\s@<>]+@[^\s@<>]+>?$/u);

/** All of it or none: a zone without its token serves nobody. */
function parseCloudflare(read: Reader): CloudflareZone | undefined {
  const apiUrl = read.text("CLOUDFLARE_API_URL", WebUrl, false) ?? CLOUDFLARE_API_URL;
  const zoneId = read.text("CLOUDFLARE_ZONE_ID", ZoneId, false);
  const apiToken = read.text("CLOUDFLARE_API_TOKEN", ApiToken, zoneId !== undefined);
  if (zoneId === undefined && apiToken !== undefined)
    read.refuse("CLOUDFLARE_ZONE_ID", "is missing");
  return zoneId === undefined || apiToken === undefined ? undefined : { apiUrl, zoneId, apiToken };
}

/** `kid:base64(32 bytes)`, or two of them with a comma between while a rotation lasts. */
function parseMasterKeys(read: Reader, required: boolean): readonly MasterKey[] {
  const text = read.text("MASTER_KEY", z.string(), required);
  if (text === undefined) return [];
  const keys = text.split(",").map(masterKey);
  const kids = new Set(keys.map((key) => key?.kid));
  const whole = keys.filter((key) => key !== undefined);
  const good = whole.length === keys.length && kids.size === keys.length && keys.length <= 2;
  if (!good) read.refuse("MASTER_KEY", "must be one or two of kid:base64(32 bytes)");
  return whole;
}

function masterKey(text: string): MasterKey | undefined {
  const [, kid, base64] = MASTER_KEY.exec(text.trim()) ?? [];
  if (kid === undefined || base64 === undefined) return undefined;
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  return bytes.length === 32 ? { kid, key: bytes } : undefined;
}

/** Collects refusals, so that one start names everything that is wrong. */
class Reader {
  readonly #vars: Record<string, unknown>;
  readonly #refused: { readonly setting: string; readonly reason: string }[] = [];

  constructor(vars: Record<string, unknown>) {
    this.#vars = vars;
  }

  /** The setting by its schema; an empty one counts as absent. */
  text<T>(setting: string, schema: z.ZodType<T, string>, required: boolean): T | undefined {
    const value = this.#vars[setting];
    if (value === undefined || value === null || value === "") {
      if (required) this.refuse(setting, "is missing");
      return undefined;
    }
    const parsed = schema.safeParse(value);
    if (!parsed.success) this.refuse(setting, "is not valid");
    return parsed.data;
  }

  json<T>(setting: string, schema: z.ZodType<T>, required: boolean): T | undefined {
    const text = this.text(setting, z.string(), required);
    if (text === undefined) return undefined;
    try {
      const parsed = schema.safeParse(JSON.parse(text));
      if (!parsed.success) this.refuse(setting, "is not valid");
      return parsed.data;
    } catch {
      this.refuse(setting, "is not JSON");
      return undefined;
    }
  }

  /** Comma-separated items, each of the form. */
  list(setting: string, form: RegExp): readonly string[] {
    const items = (this.text(setting, z.string(), false) ?? "")
      .split(",")
      .map((item) => item.trim())
      .filter((item) => item !== "");
    if (!items.every((item) => form.test(item))) this.refuse(setting, "is not valid");
    return items;
  }

  refuse(setting: string, reason: string): void {
    this.#refused.push({ setting, reason });
  }

  finish(): void {
    if (this.#refused.length > 0) throw new ConfigError(this.#refused);
  }
}
