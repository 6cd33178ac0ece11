/** Refusals of the token endpoint, in OAuth's own form: its clients look for no other. */
import { Problem, type ProblemCode } from "../../core/problem.ts";

/** @source RFC 6749 §5.2, RFC 8707 §2, RFC 7009 §2.2.1; the last two by custom, for 429 and 5xx */
export type OAuthErrorCode =
  | "invalid_request"
  | "invalid_client"
  | "invalid_grant"
  | "unauthorized_client"
  | "unsupported_grant_type"
  | "invalid_scope"
  | "invalid_target"
  | "unsupported_token_type"
  | "access_denied"
  | "temporarily_unavailable";

type Options = { readonly status?: number; readonly retryAfterMs?: number };

export class OAuthError extends Error {
  override readonly name = "OAuthError";
  readonly code: OAuthErrorCode;
  readonly status: number;
  readonly retryAfterMs: number | undefined;

  /** @param description  For people, in printable ASCII without quotes; never what was sent. */
  constructor(code: OAuthErrorCode, description: string, options: Options = {}) {
    super(description);
    this.code = code;
    this.status = options.status ?? (code === "invalid_client" ? 401 : 400);
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** What of our own refusals is one of OAuth's. */
const CODES: Partial<Record<ProblemCode, OAuthErrorCode>> = {
  bad_request: "invalid_request",
  too_large: "invalid_request",
  invalid: "invalid_request",
  invalid_token: "invalid_grant",
  token_expired: "invalid_grant",
  unauthenticated: "invalid_grant",
  login_failed: "invalid_grant",
  rate_limited: "temporarily_unavailable",
  overloaded: "temporarily_unavailable",
  suspended: "access_denied",
};

/** The answer to what was thrown; a defect, and a refusal that OAuth has no word for, go on. */
export function oauthRefusal(error: unknown): Response {
  const known = error instanceof Problem ? translated(error) : error;
  if (!(known instanceof OAuthError)) throw error;
  const headers = new Headers({
    "content-type": "application/json",
    "cache-control": "no-store",
    pragma: "no-cache",
  });
  // The scheme that is asked for, whichever was used. @source RFC 9110 §11.6.1
  if (known.status === 401) headers.set("www-authenticate", 'Basic realm="berth", charset="UTF-8"');
  if (known.retryAfterMs !== undefined) {
    headers.set("retry-after", String(Math.max(1, Math.ceil(known.retryAfterMs / 1000))));
  }
  const body = JSON.stringify({ error: known.code, error_description: known.message });
  return new Response(body, { status: known.status, headers });
}

function translated(problem: Problem): OAuthError | Problem {
  const code = CODES[problem.code];
  if (code === undefined) return problem;
  const { detail, retryAfterMs } = problem.data;
  const kept = code === "temporarily_unavailable" || code === "access_denied";
  return new OAuthError(code, detail, {
    ...(kept ? { status: problem.status } : {}),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}
