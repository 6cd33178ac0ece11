import { z } from "zod";
import { BreakerPolicy } from "../runs/contract.ts";
import { SecretRef } from "../secrets/contract.ts";
import type { Redactor } from "../secrets/redact.ts";

const HeaderName = z.string().regex(/^[A-Za-z0-9-]{1,64}$/);

/** An RFC 6749 client of the upstream's issuer; its token is asked for once and kept while it lasts. */
const OAuth2 = z.strictObject({
  kind: z.literal("oauth2"),
  token_url: z.string().min(1).max(2000),
  client_id: z.string().min(1).max(500),
  client_secret: SecretRef,
  scope: z.string().max(1000).optional(),
  audience: z.string().max(1000).optional(),
  /** How the client proves itself to the token endpoint (RFC 6749 2.3.1). */
  client_auth: z.enum(["basic", "body"]).default("basic"),
});

/**
 * `hex(HMAC-SHA-256(secret, "{timestamp}.{method}.{path and query}." + body))`, sent as
 * `t={timestamp},v1={hex}`: the upstream can tell who asks, what, and when.
 */
const Hmac = z.strictObject({
  kind: z.literal("hmac"),
  secret: SecretRef,
  header: HeaderName.default("Berth-Signature"),
});

/** What opens the upstream; the values are named secrets, never written into a spec. */
export const UpstreamAuth = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("none") }),
  z.strictObject({ kind: z.literal("header"), name: HeaderName, value: SecretRef }),
  OAuth2,
  Hmac,
]);
export type UpstreamAuth = z.infer<typeof UpstreamAuth>;

/** Asked by the agent's object while the agent is live: 2xx is healthy. */
export const HealthCheck = z.strictObject({
  path: z.string().max(1000).startsWith("/").default("/"),
  interval_ms: z.number().int().min(1000).max(3_600_000).default(30_000),
  timeout_ms: z.number().int().min(100).max(30_000).default(5000),
  /** So many in a row and the upstream is down: what comes is kept until it answers again. */
  failures: z.number().int().min(1).max(100).default(3),
});
export type HealthCheck = z.infer<typeof HealthCheck>;

/** Somebody's endpoint as the runtime of an agent. */
export const UpstreamSpec = z.strictObject({
  /** Its base; the path of a proxied request is appended to it. */
  url: z.string().min(1).max(2000),
  /** Where `invoke` posts to, below the base. */
  invoke_path: z.string().max(1000).startsWith("/").default("/"),
  headers: z.record(HeaderName, z.union([z.string().max(2000), SecretRef])).default({}),
  auth: UpstreamAuth.default({ kind: "none" }),
  /** Without it only calls tell whether the upstream is there. */
  health: HealthCheck.optional(),
  breaker: BreakerPolicy.prefault({}),
  /**
   * It honours `Idempotency-Key`: what was sent without an answer is sent again under the same key.
   * Else only GET, HEAD, OPTIONS, PUT and DELETE are, and the outcome of the rest is unknown.
   */
  idempotent: z.boolean().default(false),
  /** Of a request whose outcome is unknown: people are asked (absent), or the run ends so. */
  on_unknown: z.enum(["ask", "fail"]).optional(),
  /** One call, first byte to last, in ms. */
  timeout_ms: z.number().int().min(100).max(600_000).default(30_000),
  max_request_bytes: z.number().int().min(0).max(10_485_760).default(1_048_576),
  max_response_bytes: z.number().int().min(0).max(16_777_216).default(5_242_880),
  /** How long a request is kept while the upstream is down; then it is dead. 24 h unless said. */
  keep_ms: z.number().int().min(1000).max(2_592_000_000).default(86_400_000),
});
export type UpstreamSpec = z.infer<typeof UpstreamSpec>;

/** Where it names secrets, as pointers, and which; in the order of the document. */
export function upstreamSecrets(
  { headers, auth }: UpstreamSpec,
  pointer: string,
): readonly (readonly [string, string])[] {
  const sent = headerSecrets(headers, pointer);
  const at = `${pointer}/auth`;
  if (auth.kind === "header") return [...sent, [`${at}/value`, auth.value.secret]];
  if (auth.kind === "oauth2") return [...sent, [`${at}/client_secret`, auth.client_secret.secret]];
  return auth.kind === "hmac" ? [...sent, [`${at}/secret`, auth.secret.secret]] : sent;
}

/** The same of header fields, which tools have too. */
export function headerSecrets(
  headers: UpstreamSpec["headers"],
  pointer: string,
): readonly (readonly [string, string])[] {
  return Object.entries(headers).flatMap(([name, value]) =>
    typeof value === "string" ? [] : [[`${pointer}/headers/${name}`, value.secret] as const],
  );
}

/** A body as JSON keeps it: as text where it is UTF-8. */
export const StoredBody = z.object({ encoding: z.enum(["text", "base64"]), data: z.string() });
export type StoredBody = z.infer<typeof StoredBody>;

/** A proxied request as it is stored and forwarded: without the caller's credential. */
export const ProxyRequest = z.object({
  method: z.string(),
  /** Below the upstream's base, with its query. */
  path: z.string(),
  headers: z.record(z.string(), z.string()),
  body: StoredBody.nullable(),
});
export type ProxyRequest = z.infer<typeof ProxyRequest>;

/** What came back, as it is stored and handed out. */
export const ProxyResponse = z.object({
  status: z.number().int(),
  headers: z.record(z.string(), z.string()),
  body: StoredBody.nullable(),
});
export type ProxyResponse = z.infer<typeof ProxyResponse>;

/** How an upstream is doing, as an agent's object sees it. */
export const UpstreamHealth = z.object({
  /** `unknown`: it is not asked, or was not yet. */
  status: z.enum(["healthy", "down", "unknown"]),
  /** Of the health check, in a row. */
  failures: z.number().int(),
  checked_at: z.string().nullable(),
  /** Since when it is down. */
  since: z.string().nullable(),
  /** Its breaker lets nothing through but probes. */
  breaker_open: z.boolean(),
});
export type UpstreamHealth = z.infer<typeof UpstreamHealth>;

/** One request on its way to an upstream. */
export type Outgoing = {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | null;
};

/** What a call is made under. */
export type CallContext = {
  /** Set on the request over whatever it brings. */
  readonly headers: Readonly<Record<string, string>>;
  /** Within its origin; a proxied request's redirects are its caller's to follow. */
  readonly followsRedirects: boolean;
  readonly signal: AbortSignal;
};

/** One endpoint, ready to be asked. */
export type Upstream = {
  /** By which its breaker knows it. */
  readonly name: string;
  /**
   * The answer as soon as its head is there; its body is held to the spec's size while it is read.
   *
   * @throws UpstreamFailure
   */
  send(request: Outgoing, context: CallContext): Promise<Response>;
  /** Whether it is there: the health check's path, or any answer at all where there is none. */
  reachable(signal: AbortSignal): Promise<boolean>;
  /** Takes what opens the upstream out of what it says. */
  redactor(): Redactor | undefined;
};

/** Why no answer was had, or none that is taken. */
export class UpstreamFailure extends Error {
  override readonly name = "UpstreamFailure";
  /** `unready`: what opens it could not be had; nothing was sent to it. */
  readonly reason: "refused" | "unreachable" | "redirect" | "too_large" | "credential" | "unready";
  constructor(reason: UpstreamFailure["reason"], message: string) {
    super(message);
    this.reason = reason;
  }
}
