/** Which credential a request presents, before anything is known of its worth. */
import { Problem } from "../../core/problem.ts";

export type Credential =
  | { readonly kind: "bearer"; readonly text: string }
  /** A console session; `text` is the cookie's value. */
  | { readonly kind: "cookie"; readonly text: string };

const BEARER = /^bearer +([\x21-\x7e]+) *$/i;
const COOKIE_VALUE = /^[A-Za-z0-9_.-]{16,256}$/;
const HOST_COOKIE = "__Host-berth";
const LOOPBACK_COOKIE = "berth";

/**
 * The one credential of the request; a header wins over the cookie, because a browser sends the
 * cookie unasked. `undefined` when there is none.
 *
 * @throws Problem `bad_request` | `invalid_token` | `origin_refused`
 */
export function credentialOf(request: Request, origin: string): Credential | undefined {
  const authorization = request.headers.get("authorization");
  const apiKey = request.headers.get("x-api-key");
  if (authorization !== null && apiKey !== null) {
    throw new Problem("bad_request", "send one credential, not two", {
      errors: [{ pointer: "x-api-key", detail: "authorization is present too" }],
    });
  }
  if (authorization !== null) return bearer(BEARER.exec(authorization)?.[1]);
  if (apiKey !== null) return bearer(apiKey);
  const value = sessionCookie(request.headers.get("cookie"), origin);
  if (value === undefined) return undefined;
  refuseForeignWrites(request, origin);
  return { kind: "cookie", text: value };
}

/**
 * Every session token that the cookies carry, for ending them: where credentials are judged, two of
 * one name are none.
 */
export function sessionTokensOf(request: Request, origin: string): readonly string[] {
  const cookies = cookiesOf(request.headers.get("cookie") ?? "");
  return cookieNames(origin).flatMap((name) =>
    valuesOf(cookies, name).filter((value) => COOKIE_VALUE.test(value)),
  );
}

/** What every credential that opens nothing is told, whatever the reason. */
export function invalidToken(): Problem {
  return new Problem("invalid_token", "the credential is not valid here");
}

/** The name to set the session cookie under at this origin (DECISIONS 25). */
export function sessionCookieName(origin: string): string {
  return origin.startsWith("http:") ? LOOPBACK_COOKIE : HOST_COOKIE;
}

function bearer(text: string | undefined): Credential {
  if (text === undefined) throw invalidToken();
  return { kind: "bearer", text };
}

/**
 * The session cookie's value. The unprefixed name counts on plain http alone, where `config` lets
 * only loopback be; a request that carries the name twice is somebody else's doing (a cookie set
 * from a sibling host) and is refused.
 */
function sessionCookie(header: string | null, origin: string): string | undefined {
  if (header === null) return undefined;
  const cookies = cookiesOf(header);
  for (const name of cookieNames(origin)) {
    const values = valuesOf(cookies, name);
    const [value] = values;
    if (value === undefined) continue;
    if (values.length > 1 || !COOKIE_VALUE.test(value)) throw invalidToken();
    return value;
  }
  return undefined;
}

function cookieNames(origin: string): readonly string[] {
  return origin.startsWith("http:") ? [HOST_COOKIE, LOOPBACK_COOKIE] : [HOST_COOKIE];
}

function cookiesOf(header: string): readonly string[] {
  return header.split(";").map((cookie) => cookie.trim());
}

function valuesOf(cookies: readonly string[], name: string): readonly string[] {
  return cookies
    .filter((cookie) => cookie.startsWith(`${name}=`))
    .map((cookie) => cookie.slice(name.length + 1));
}

/** With a cookie, a write (or a socket, which is one) must come from a page of this very origin. */
export function refuseForeignWrites(request: Request, origin: string): void {
  const reads = request.method === "GET" || request.method === "HEAD";
  if (reads && !request.headers.has("upgrade")) return;
  if (request.headers.get("origin") === origin) return;
  throw new Problem("origin_refused", "a session can write from its own origin only", {
    errors: [{ pointer: "origin", detail: "must be this host's origin" }],
  });
}
