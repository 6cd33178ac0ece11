import { expect, it } from "vitest";
import { EgressFailure } from "../egress/contract.ts";
import { abortedFailure, statusFailure, thrownFailure } from "./failures.ts";

function wait(headers: Record<string, string>): number | undefined {
  return statusFailure(429, new Headers(headers), undefined, null).retryAfterMs;
}

it("reads Retry-After in seconds and as a date, and bounds it", () => {
  const date = "Fri, 20 Nov 2026 12:00:00 GMT";
  expect(wait({ "retry-after": "7" })).toBe(7000);
  expect(wait({ "retry-after": "0.5" })).toBe(500);
  expect(wait({ "retry-after": "Fri, 20 Nov 2026 12:00:09 GMT", date })).toBe(9000);
  expect(wait({ "retry-after": "Fri, 20 Nov 2026 11:00:00 GMT", date })).toBe(0);
  expect(wait({ "retry-after": "999999999" })).toBe(86_400_000);
  for (const text of ["soon", "-1", "1e9", "", "Fri, 20 Nov 2026 12:00:09 GMT"]) {
    expect(wait({ "retry-after": text })).toBeUndefined();
  }
});

it.each([
  [{ error: { message: "out of memory" } }, ": out of memory"],
  [{ error: "no such thing" }, ": no such thing"],
  [{ message: "plain" }, ": plain"],
  [{ error: { message: { deep: 1 } } }, ""],
  [{ error: [] }, ""],
  ["text", ": text"],
  [undefined, ""],
  [null, ""],
  [{ error: { message: "key AbCdEfGhIjKlMnOpQrStUvWx leaked" } }, ": key [redacted] leaked"],
  [{ error: { message: "short pa55 leaked" } }, ": short [redacted] leaked"],
])("says of %j no more than %j", (body, said) => {
  const failure = statusFailure(500, undefined, body, "pa55");
  expect(failure.problem.detail).toBe(`the provider answered 500${said}`);
});

it("never quotes a provider that refuses a credential", () => {
  const body = { error: { message: "Incorrect key: sk-12" } };
  for (const status of [401, 403]) {
    expect(statusFailure(status, undefined, body, "x").problem.detail).not.toContain("sk-12");
  }
});

it("tells a deadline from a cancel", () => {
  const timeout = new DOMException("late", "TimeoutError");
  expect(abortedFailure(AbortSignal.abort(timeout))).toMatchObject({
    retryable: true,
    problem: { code: "timeout" },
  });
  expect(abortedFailure(AbortSignal.abort())).toMatchObject({ retryable: false });
});

it("knows what the egress rule stopped from what broke", () => {
  const { signal } = new AbortController();
  const refused = new EgressFailure("refused", "the URL names an inside host");
  const wrapped = new Error("fetch failed", { cause: refused });
  expect(thrownFailure(refused, signal, false).retryable).toBe(false);
  expect(thrownFailure(wrapped, signal, false).retryable).toBe(false);
  expect(thrownFailure(new TypeError("fetch failed"), signal, false)).toMatchObject({
    retryable: true,
    problem: { detail: "the provider could not be reached" },
  });
});
