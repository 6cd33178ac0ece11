/**
 * What of a proxied request's and answer's head goes on.
 *
 * The caller's credential is for this platform and stays here. The answer is shown at the tenant's
 * own address, next to its console: nothing in it may act there in the platform's name.
 *
 * @source RFC 9110 §7.6.1 (fields of one connection)
 */

const OF_ONE_CONNECTION = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/** Set anew for the upstream, or nothing of its business. */
const NOT_FORWARDED = new Set([
  ...OF_ONE_CONNECTION,
  "accept-encoding",
  "authorization",
  "content-length",
  "cookie",
  "expect",
  "forwarded",
  "host",
  "idempotency-key",
  "prefer",
  "traceparent",
  "tracestate",
  "via",
  "x-api-key",
  "x-request-id",
]);
const NOT_FORWARDED_PREFIX = /^(?:cf-|x-forwarded-|x-real-ip|sec-|berth-|access-control-)/;

/** Would act on the tenant's whole host, or speak for the connection or the platform. */
const NOT_RETURNED = new Set([
  ...OF_ONE_CONNECTION,
  "accept-ch",
  "alt-svc",
  "clear-site-data",
  "content-encoding",
  "content-length",
  "content-security-policy",
  "content-security-policy-report-only",
  "critical-ch",
  "idempotency-replayed",
  "nel",
  "origin-agent-cluster",
  "refresh",
  "report-to",
  "reporting-endpoints",
  "server",
  "service-worker-allowed",
  "set-cookie",
  "strict-transport-security",
  "www-authenticate",
]);
const NOT_RETURNED_PREFIX = /^(?:cf-|access-control-|berth-|public-key-pins)/;

/** The fields of a caller's request that its upstream is sent. */
export function forwardedHeaders(headers: Headers): Record<string, string> {
  const named = connectionFields(headers);
  return kept(headers, (name) => {
    return !NOT_FORWARDED.has(name) && !NOT_FORWARDED_PREFIX.test(name) && !named.has(name);
  });
}

/** The fields of an upstream's answer that its caller is given. */
export function returnedHeaders(headers: Headers): Record<string, string> {
  const named = connectionFields(headers);
  return kept(headers, (name) => {
    return !NOT_RETURNED.has(name) && !NOT_RETURNED_PREFIX.test(name) && !named.has(name);
  });
}

/** `Connection` names further fields that end with the hop. */
function connectionFields(headers: Headers): ReadonlySet<string> {
  const named = headers.get("connection") ?? "";
  return new Set(named.split(",").map((name) => name.trim().toLowerCase()));
}

function kept(headers: Headers, keep: (name: string) => boolean): Record<string, string> {
  const fields: [string, string][] = [];
  headers.forEach((value, name) => {
    if (keep(name)) fields.push([name, value]);
  });
  // Defined, not assigned: a field named __proto__ is a field.
  return Object.fromEntries(fields);
}
