/**
 * From what went wrong at a provider to a `ModelFailure`: the one place where retryable and
 * terminal are told apart, used by every adapter.
 *
 * Nothing of the provider's body gets out but a short message with everything key-like removed.
 */
import { EgressFailure, retryAfter } from "../egress/contract.ts";
import type { RetryableError } from "../runs/contract.ts";
import { ModelFailure } from "./contract.ts";

const MOST_MESSAGE = 160;

/** The provider answered with a status that is not 2xx. `body` is its JSON, if it was JSON. */
export function statusFailure(
  status: number,
  headers: Headers | undefined,
  body: unknown,
  secret: string | null,
): ModelFailure {
  const said = saidBy(status, body, secret);
  const detail = `${STATUS_DETAIL[status] ?? `the provider answered ${status}`}${said}`;
  const retryable = status === 408 || status === 429 || status >= 500;
  const retryAfterMs = retryable && headers ? retryAfter(headers) : undefined;
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
  const kind = retryable ? kindOf(status) : undefined;
  return new ModelFailure({ code: "model_failed", detail, ...wait }, retryable, retryAfterMs, kind);
}

/** The provider answered 2xx with something that is no answer; worth another try. */
export function brokenAnswer(detail: string, kind: RetryableError = "broken_answer"): ModelFailure {
  const problem = { code: "model_failed" as const, detail: `the provider ${detail}` };
  return new ModelFailure(problem, true, undefined, kind);
}

function kindOf(status: number): RetryableError {
  if (status === 408) return "timeout";
  return status === 429 ? "rate_limited" : "server_error";
}

/** The provider reported an error inside a stream that began well. */
export function streamError(body: unknown, secret: string | null): ModelFailure {
  return brokenAnswer(`reported an error in the stream${saidBy(500, body, secret)}`);
}

/** Nothing will make this call succeed as it stands. */
export function terminalFailure(detail: string): ModelFailure {
  return new ModelFailure({ code: "model_failed", detail }, false);
}

/** Why a call under `signal` ended early: its deadline (retryable) or somebody's cancel. */
export function abortedFailure(signal: AbortSignal): ModelFailure {
  const reason: unknown = signal.reason;
  if (reason instanceof Error && reason.name === "TimeoutError") {
    const problem = { code: "timeout" as const, detail: "the provider took too long" };
    return new ModelFailure(problem, true, undefined, "timeout");
  }
  return new ModelFailure({ code: "model_failed", detail: "the call was cancelled" }, false);
}

/**
 * Anything thrown on the way to or through an answer.
 *
 * @param reached  True once headers had arrived.
 */
export function thrownFailure(error: unknown, signal: AbortSignal, reached: boolean): ModelFailure {
  if (error instanceof ModelFailure) return error;
  if (signal.aborted) return abortedFailure(signal);
  const refused = egressFailure(error);
  if (refused !== undefined) {
    const retryable = refused.reason === "too_large";
    const detail = `the call to the provider was stopped: ${refused.message}`;
    const kind = retryable ? "broken_answer" : undefined;
    return new ModelFailure({ code: "model_failed", detail }, retryable, undefined, kind);
  }
  if (error instanceof SyntaxError) return brokenAnswer("sent broken JSON");
  if (reached) return brokenAnswer("broke off its answer");
  return brokenAnswer("could not be reached", "unreachable");
}

const STATUS_DETAIL: Readonly<Record<number, string>> = {
  401: "the provider refused the credential (401)",
  403: "the provider refused the credential (403)",
  404: "the provider does not know the model or path (404)",
  429: "the provider's rate limit is reached (429)",
};

function egressFailure(error: unknown): EgressFailure | undefined {
  if (error instanceof EgressFailure) return error;
  if (error instanceof Error && error.cause instanceof EgressFailure) return error.cause;
  return undefined;
}

/** A refused credential is never quoted back: providers repeat part of the key in that message. */
function saidBy(status: number, body: unknown, secret: string | null): string {
  if (status === 401 || status === 403) return "";
  const message = messageOf(body);
  if (message === undefined) return "";
  const short = sanitised(message, secret);
  return short === "" ? "" : `: ${short}`;
}

function messageOf(body: unknown): string | undefined {
  if (typeof body === "string") return body;
  if (typeof body !== "object" || body === null) return undefined;
  if ("message" in body && typeof body.message === "string") return body.message;
  return "error" in body ? messageOf(body.error) : undefined;
}

function sanitised(message: string, secret: string | null): string {
  const start = message.slice(0, 2000);
  const plain = secret === null || secret === "" ? start : start.replaceAll(secret, "[redacted]");
  const words = plain
    .toWellFormed()
    .replace(/[\p{C}\s]+/gu, " ")
    .replace(/[A-Za-z0-9_+/=-]{20,}/g, "[redacted]")
    .trim();
  return words.length > MOST_MESSAGE ? `${words.slice(0, MOST_MESSAGE).toWellFormed()}…` : words;
}
