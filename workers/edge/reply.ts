/** The one place where a refusal or a defect becomes an HTTP answer. */
import { HTTPException } from "hono/http-exception";
import {
  Problem,
  type ProblemCode,
  type ProblemData,
  problemDocument,
} from "../../core/problem.ts";
import { setQuotas } from "./quotas.ts";

/** Names that clients of the first platforms look for (docs/errors.md, F42). */
const LEGACY_CODES: Partial<Record<ProblemCode, string>> = {
  unauthenticated: "AUTH_ERROR",
  invalid_token: "INVALID_TOKEN",
  key_revoked: "INVALID_TOKEN",
  key_disabled: "INVALID_TOKEN",
  token_expired: "TOKEN_EXPIRED",
};

/**
 * The `application/problem+json` answer of a refusal.
 *
 * @source RFC 9457; RFC 6750 §3 (`WWW-Authenticate`); RFC 9110 §10.2.3 (`Retry-After`, whole seconds)
 */
export function problemResponse(data: ProblemData, requestId: string): Response {
  const body = problemDocument(data, requestId);
  const legacy = LEGACY_CODES[data.code];
  const headers = new Headers({
    "content-type": "application/problem+json",
    "cache-control": "no-store",
  });
  if (body.status === 401) headers.set("www-authenticate", challenge(data.code));
  if (
    data.retryAfterMs !== undefined &&
    (body.status === 429 || body.status === 503 || body.status === 409)
  ) {
    headers.set("retry-after", String(Math.max(1, Math.ceil(data.retryAfterMs / 1000))));
  }
  if (data.quotas !== undefined) setQuotas(headers, data.quotas);
  const document = legacy === undefined ? body : { ...body, legacy_code: legacy };
  return new Response(JSON.stringify(document), { status: body.status, headers });
}

/**
 * The answer to anything thrown. What is not a refusal is a defect: logged in full, answered with
 * nothing but the request's id.
 */
export function errorResponse(error: unknown, requestId: string, request: Request): Response {
  if (error instanceof Problem) return problemResponse(error.data, requestId);
  if (error instanceof HTTPException && error.status < 500) {
    return problemResponse({ code: "bad_request", detail: "the request is malformed" }, requestId);
  }
  logDefect(error, requestId, request);
  return problemResponse({ code: "internal", detail: "it was logged under this id" }, requestId);
}

function challenge(code: ProblemCode): string {
  return code === "unauthenticated"
    ? 'Bearer realm="berth"'
    : `Bearer realm="berth", error="invalid_token", error_description="${code}"`;
}

/** One structured line. Never the query, headers or body; and of a failed statement, not its values. */
function logDefect(error: unknown, requestId: string, request: Request): void {
  const known = error instanceof Error ? error : new Error(typeof error);
  const cause = known.cause instanceof Error ? withoutValues(known.cause.message) : undefined;
  console.error(
    JSON.stringify({
      level: "error",
      event: "defect",
      request_id: requestId,
      method: request.method,
      path: request.url.split("?", 1)[0],
      error: known.name,
      message: withoutValues(known.message),
      cause,
      stack: known.stack?.split("\n").filter((line) => line.startsWith("    at ")),
    }),
  );
}

function withoutValues(message: string): string {
  return message.split(/\nparams: /, 1)[0] ?? "";
}
