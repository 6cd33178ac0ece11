/**
 * The closed list of what can be refused, and the one error type that carries a refusal.
 *
 * Anything thrown that is not a `Problem` is a defect (500). Across RPC and queues a refusal
 * travels as the plain value `Refusal`, because a class does not survive structured clone.
 *
 * @source RFC 9457 (problem details), RFC 9110 §10.2.3 (`Retry-After`).
 */
export const PROBLEMS = {
  malformed_json: { status: 400, title: "The body is not well-formed JSON" },
  bad_request: { status: 400, title: "The request is malformed" },
  unauthenticated: { status: 401, title: "A credential is required" },
  invalid_token: { status: 401, title: "The credential is not valid" },
  token_expired: { status: 401, title: "The credential has expired" },
  key_revoked: { status: 401, title: "The API key was revoked" },
  key_disabled: { status: 401, title: "The API key is switched off" },
  login_failed: { status: 401, title: "The e-mail address or the password is wrong" },
  budget_exceeded: { status: 402, title: "The budget does not cover this" },
  quota_exceeded: { status: 402, title: "The tier allows no more of these" },
  forbidden: { status: 403, title: "The credential lacks the scope for this" },
  registration_closed: { status: 403, title: "One becomes a user here by invitation" },
  email_unverified: { status: 403, title: "The e-mail address is not verified" },
  link_invalid: { status: 403, title: "The link is not valid, was used, or has expired" },
  stopped: { status: 403, title: "Stopped by a kill switch" },
  address_refused: { status: 403, title: "Requests from this address are refused" },
  origin_refused: { status: 403, title: "Requests from this origin are refused" },
  not_found: { status: 404, title: "No such resource" },
  method_not_allowed: { status: 405, title: "The method is not allowed here" },
  not_acceptable: { status: 406, title: "None of the accepted media types can be served" },
  conflict: { status: 409, title: "The request conflicts with the current state" },
  already_exists: { status: 409, title: "It exists already" },
  idempotency_in_progress: { status: 409, title: "A request with this key is still running" },
  content_erased: { status: 410, title: "The content was erased" },
  version_conflict: { status: 412, title: "Changed since you read it" },
  too_large: { status: 413, title: "The body is too large" },
  unsupported_media_type: { status: 415, title: "The content type is not supported" },
  misdirected: { status: 421, title: "This host is not served here" },
  invalid: { status: 422, title: "The request does not fit its schema" },
  spec_invalid: { status: 422, title: "The spec cannot run" },
  idempotency_mismatch: { status: 422, title: "The key was used with another body" },
  precondition_required: { status: 428, title: "If-Match with the revision is required" },
  rate_limited: { status: 429, title: "Rate limit reached" },
  internal: { status: 500, title: "A defect on our side" },
  model_failed: { status: 502, title: "The model provider failed" },
  tool_failed: { status: 502, title: "A tool failed" },
  upstream_failed: { status: 502, title: "The agent's upstream failed" },
  not_deployed: { status: 503, title: "No version is live in this environment" },
  suspended: { status: 403, title: "The tenant is suspended" },
  overloaded: { status: 503, title: "Too much work is queued" },
  timeout: { status: 504, title: "It took too long" },
  journal_mismatch: { status: 409, title: "Re-execution differs from the journal" },
  step_limit: { status: 422, title: "The run used up its steps" },
  effect_unknown: { status: 409, title: "The outcome of an effect is unknown" },
  approval_expired: { status: 409, title: "Nobody decided in time" },
} as const satisfies Record<string, { status: number; title: string }>;

export type ProblemCode = keyof typeof PROBLEMS;

/** One place in the input that was refused; `pointer` is an RFC 6901 JSON pointer or a header name. */
export type ProblemPlace = { readonly pointer: string; readonly detail: string };

/** One limit the request was held to, for the RateLimit fields and the refusal's own words. */
export type Quota = {
  readonly name: string;
  readonly limit: number;
  /** Null for a number of units that no clock renews. */
  readonly periodMs: number | null;
  readonly remaining: number;
  /** Until all of it is there again; null for never. */
  readonly resetMs: number | null;
};

/** A refusal as plain data: what crosses RPC, queues and the journal. */
export type ProblemData = {
  readonly code: ProblemCode;
  readonly detail: string;
  /** Whole milliseconds until a retry can succeed, when known. */
  readonly retryAfterMs?: number;
  readonly errors?: readonly ProblemPlace[];
  readonly quotas?: readonly Quota[];
};

export type Refusal = { readonly ok: false; readonly problem: ProblemData };

export type ProblemOptions = Omit<ProblemData, "code" | "detail">;

export class Problem extends Error {
  override readonly name = "Problem";
  readonly data: ProblemData;

  constructor(code: ProblemCode, detail: string, options: ProblemOptions = {}) {
    super(`${code}: ${detail}`);
    this.data = { code, detail, ...options };
  }

  get code(): ProblemCode {
    return this.data.code;
  }

  get status(): number {
    return PROBLEMS[this.data.code].status;
  }

  static from(data: ProblemData): Problem {
    const { code, detail, ...options } = data;
    return new Problem(code, detail, options);
  }

  /** The value of an answer that crossed RPC, or its refusal as a throw. */
  static unwrap<T extends { readonly ok: true }>(answer: T | Refusal): T {
    if (answer.ok) return answer;
    throw Problem.from(answer.problem);
  }
}

/** A refusal as a value, for the far side of RPC. */
export function refuse(code: ProblemCode, detail: string, options: ProblemOptions = {}): Refusal {
  return { ok: false, problem: { code, detail, ...options } };
}

/**
 * The RFC 9457 document of a refusal.
 *
 * @param requestId  Becomes `instance` (a URN) and `request_id`; the only part that differs
 *                   between a hidden and a missing resource (DECISIONS 32).
 */
export function problemDocument(data: ProblemData, requestId: string) {
  const { status, title } = PROBLEMS[data.code];
  return {
    type: `https://berth.dev/problems/${data.code}`,
    title,
    status,
    detail: data.detail,
    instance: `urn:request:${requestId}`,
    code: data.code,
    request_id: requestId,
    ...(data.errors ? { errors: data.errors } : {}),
    ...(data.quotas ? { quotas: data.quotas.map(onWire) } : {}),
  };
}

function onWire({ name, limit, periodMs, remaining, resetMs }: Quota) {
  return {
    name,
    limit,
    period_seconds: seconds(periodMs),
    remaining,
    reset_seconds: seconds(resetMs),
  };
}

function seconds(ms: number | null): number | null {
  return ms === null ? null : Math.ceil(ms / 1000);
}
