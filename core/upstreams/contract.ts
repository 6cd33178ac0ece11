import { z } from "zod";
import { SecretRef } from "../secrets/contract.ts";

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
  /** Without it nothing is asked unbidden, and only failed calls tell that the upstream is down. */
  health: HealthCheck.optional(),
  /**
   * It honours `Idempotency-Key`: what was sent without an answer is sent again under the same key.
   * Else only GET, HEAD, OPTIONS, PUT and DELETE are, and the outcome of the rest is unknown.
   */
  idempotent: z.boolean().default(false),
  /** One call, first byte to last, in ms. */
  timeout_ms: z.number().int().min(100).max(600_000).default(60_000),
  max_request_bytes: z.number().int().min(0).max(10_485_760).default(1_048_576),
  max_response_bytes: z.number().int().min(0).max(16_777_216).default(5_242_880),
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

/** One endpoint, ready to be asked. */
export type Upstream = {
  /** `host:port`, by which its breaker knows it. */
  readonly host: string;
};
