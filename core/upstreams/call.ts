/**
 * One upstream, ready to be called.
 *
 * C1  Every address is judged by the egress rule before it is sent to, that of a redirect too.
 * C2  A redirect is followed only to the same origin, and only when it keeps the method; of a
 *     proxied request none is: the caller is told.
 * C3  What opens the upstream is put on last but for the platform's own fields, and nothing of a
 *     caller's credential is ever on the request (./headers.ts).
 */
import type { Clock } from "../clock.ts";
import { EgressFailure } from "../egress/contract.ts";
import type { Fetch } from "../models/contract.ts";
import type { Redactor } from "../secrets/redact.ts";
import {
  type CallContext,
  type Outgoing,
  type Upstream,
  UpstreamFailure,
  type UpstreamSpec,
} from "./contract.ts";
import { signatureOf } from "./sign.ts";
import { targetOf } from "./target.ts";
import { Tokens } from "./token.ts";

const MOST_REDIRECTS = 3;

export type UpstreamPorts = {
  /** Behind the egress rule; hands redirects over, and holds answers to the spec's size. */
  readonly fetch: Fetch;
  readonly now: Clock;
  /** A named secret's value; undefined when there is none, or it does not open. */
  readonly secret: (name: string) => string | undefined;
  /** Takes every secret of the release, and this token, out of text; undefined where there is none. */
  readonly redactor: (token: string | undefined) => Redactor | undefined;
};

export function upstreamOf(spec: UpstreamSpec, ports: UpstreamPorts): Upstream {
  const tokens = spec.auth.kind === "oauth2" ? new Tokens(spec.auth, ports) : undefined;
  const way: Way = { spec, ports, tokens };
  return {
    name: `upstream/${new URL(spec.url).origin}`,
    send: (request, context) => send(way, request, context),
    reachable: (signal) => reachable(way, signal),
    redactor: () => ports.redactor(tokens?.last),
  };
}

type Way = {
  readonly spec: UpstreamSpec;
  readonly ports: UpstreamPorts;
  readonly tokens: Tokens | undefined;
};

async function send(way: Way, request: Outgoing, context: CallContext): Promise<Response> {
  const target = targetOf(way.spec.url, request.path);
  if (target === undefined) throw new UpstreamFailure("refused", "the path leaves the upstream");
  let url = target;
  for (let hop = 0; hop <= MOST_REDIRECTS; hop += 1) {
    const response = await sendOnce(way, url, request, context);
    const next = context.followsRedirects ? nextHop(response, url) : undefined;
    if (next === undefined) return response;
    await discard(response);
    if (next.origin !== url.origin) {
      throw new UpstreamFailure("redirect", "the upstream redirects to another host");
    }
    url = next;
  }
  throw new UpstreamFailure("redirect", "the upstream redirects too often");
}

/** The same again with a new token when the upstream did not take the one it was sent. */
async function sendOnce(
  way: Way,
  url: URL,
  request: Outgoing,
  context: CallContext,
): Promise<Response> {
  const { tokens } = way;
  const token = await tokens?.take(context.signal);
  const response = await fetched(way, url, request, context, token);
  if (response.status !== 401 || tokens === undefined || token === undefined) return response;
  await discard(response);
  tokens.refused(token);
  return fetched(way, url, request, context, await tokens.take(context.signal));
}

async function fetched(
  way: Way,
  url: URL,
  request: Outgoing,
  { headers: own, signal }: CallContext,
  token: string | undefined,
): Promise<Response> {
  const { ports } = way;
  const headers = new Headers(request.headers);
  for (const [name, value] of Object.entries(way.spec.headers)) {
    headers.set(name, typeof value === "string" ? value : secretText(ports, value));
  }
  await authorize(way, headers, url, request, token);
  for (const [name, value] of Object.entries(own)) headers.set(name, value);
  const { method, body } = request;
  const init = { method, headers, signal, ...(body === null ? {} : { body }) };
  try {
    return await ports.fetch(url, init);
  } catch (error) {
    throw failureOf(error);
  }
}

async function authorize(
  { spec: { auth }, ports }: Way,
  headers: Headers,
  url: URL,
  { method, body }: Outgoing,
  token: string | undefined,
): Promise<void> {
  if (auth.kind === "header") headers.set(auth.name, secretText(ports, auth.value));
  if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
  if (auth.kind === "hmac") {
    const secret = valueOf(ports, auth.secret.secret);
    headers.set(auth.header, await signatureOf(secret, { method, url, body, atMs: ports.now() }));
  }
}

/** A redirect that keeps the method; undefined for every other answer. */
function nextHop(response: Response, from: URL): URL | undefined {
  if (response.status < 300 || response.status >= 400 || response.status === 304) return undefined;
  const location = response.headers.get("location") ?? "";
  const keeps = response.status === 307 || response.status === 308;
  if (!keeps || !URL.canParse(location, from)) {
    throw new UpstreamFailure("redirect", `the upstream redirects (${response.status})`);
  }
  return new URL(location, from);
}

/** 2xx of the health check's path, or any answer of one that has none. */
async function reachable({ spec, ports }: Way, signal: AbortSignal): Promise<boolean> {
  const url = targetOf(spec.url, spec.health?.path ?? spec.invoke_path);
  if (url === undefined) return false;
  try {
    const method = spec.health === undefined ? "HEAD" : "GET";
    const response = await ports.fetch(url, { method, signal });
    await discard(response);
    return spec.health === undefined || response.ok;
  } catch {
    return false;
  }
}

function failureOf(error: unknown): UpstreamFailure {
  if (error instanceof UpstreamFailure) return error;
  if (error instanceof EgressFailure) {
    const reason = error.reason === "too_large" ? "too_large" : "refused";
    return new UpstreamFailure(reason, error.message);
  }
  return new UpstreamFailure("unreachable", "the upstream did not answer");
}

/** Judged here: what refuses a header would repeat it in its error. */
function secretText(
  ports: UpstreamPorts,
  { secret, prefix = "" }: { readonly secret: string; readonly prefix?: string | undefined },
): string {
  const value = valueOf(ports, secret);
  if (/^[\x20-\x7e]*$/.test(value)) return `${prefix}${value}`;
  throw new UpstreamFailure("credential", `the secret ${secret} is no text for a header`);
}

function valueOf({ secret }: UpstreamPorts, name: string): string {
  const value = secret(name);
  if (value !== undefined) return value;
  throw new UpstreamFailure("credential", `there is no secret ${name}`);
}

/** Never fails: the far side may be gone already. */
async function discard(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => undefined);
}
