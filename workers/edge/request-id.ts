import { newId } from "../../core/ids.ts";

const REQUEST_ID = /^[A-Za-z0-9_.:-]{8,128}$/;
const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** The caller's `X-Request-Id` when it is harmless to repeat, else a new one. */
export function requestIdOf(headers: Headers, nowMs: number): string {
  const given = headers.get("x-request-id");
  return given !== null && REQUEST_ID.test(given) ? given : newId("request", nowMs);
}

/** The caller's trace position, when it is one. @source W3C Trace Context §3.2 */
export function traceparentOf(headers: Headers): string | undefined {
  const given = headers.get("traceparent");
  return given !== null && TRACEPARENT.test(given) ? given : undefined;
}
