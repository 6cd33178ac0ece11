/**
 * Cross-origin reads, decided before anything is known of host or tenant.
 *
 * Any origin may call with a credential it holds itself (a bearer key). The console's cookie is
 * never part of that: `Access-Control-Allow-Credentials` is not sent, ever, so a page elsewhere
 * cannot ride on somebody's session. @source Fetch standard §3.3
 */
const METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE";
const REQUEST_HEADERS = [
  "authorization",
  "berth-environment",
  "berth-session",
  "content-type",
  "idempotency-key",
  "if-match",
  "last-event-id",
  "prefer",
  "traceparent",
  "x-api-key",
  "x-request-id",
].join(", ");
const RESPONSE_HEADERS = [
  "berth-invocation",
  "etag",
  "idempotency-replayed",
  "location",
  "ratelimit",
  "ratelimit-policy",
  "retry-after",
  "www-authenticate",
  "x-request-id",
].join(", ");

/** The answer to a preflight; the same for every host and path, so it tells nothing. */
export function preflight(request: Request): Response | undefined {
  if (request.method !== "OPTIONS") return undefined;
  if (!request.headers.has("origin") || !request.headers.has("access-control-request-method")) {
    return undefined;
  }
  return new Response(null, {
    status: 204,
    headers: {
      "access-control-allow-origin": "*",
      "access-control-allow-methods": METHODS,
      "access-control-allow-headers": REQUEST_HEADERS,
      "access-control-max-age": "7200",
    },
  });
}

/** Let a page of another origin read the answer. */
export function allowOrigin(request: Request, headers: Headers): void {
  if (!request.headers.has("origin")) return;
  headers.set("access-control-allow-origin", "*");
  headers.set("access-control-expose-headers", RESPONSE_HEADERS);
}
