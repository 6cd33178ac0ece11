import type { Fetch } from "../models/contract.ts";
import { Problem } from "../problem.ts";
import { checkUrl } from "./check.ts";
import { EgressFailure, type EgressCaps, type EgressRule } from "./contract.ts";

const MAX_BYTES = 1024 * 1024;
const MAX_STREAM_BYTES = 16 * 1024 * 1024;

/**
 * `fetch` for every request that a tenant or a model had a say in: checks the URL, sends that very
 * URL, follows no redirect and caps the answer (GUARANTEES G11).
 *
 * Time is bounded by the caller's `init.signal`. An answer that is thrown away is cancelled, so no
 * socket is left draining.
 *
 * @throws EgressFailure  for a refused URL, any 3xx, and an answer that declares itself too large;
 *                        one that turns out too large fails while its body is read.
 */
export function egressFetch(fetch: Fetch, rule: EgressRule, caps: EgressCaps = {}): Fetch {
  const maxBytes = caps.maxBytes ?? MAX_BYTES;
  const maxStreamBytes = caps.maxStreamBytes ?? MAX_STREAM_BYTES;
  return async (target, init) => {
    const url = checkUrl(target, rule);
    if (url instanceof Problem) throw new EgressFailure("refused", url.data.detail);
    const response = await fetch(url, { ...init, redirect: "manual" });
    const redirects = response.status >= 300 && response.status < 400;
    if (redirects && caps.handsOverRedirects !== true) {
      await discard(response);
      throw new EgressFailure("redirect", "the far side redirects, which is refused");
    }
    const streamed = response.headers.get("content-type")?.startsWith("text/event-stream") === true;
    return capped(response, streamed ? maxStreamBytes : maxBytes);
  };
}

async function capped(response: Response, maxBytes: number): Promise<Response> {
  if (response.body === null || maxBytes === Number.POSITIVE_INFINITY) return response;
  const declared = declaredBytes(response.headers);
  if (declared !== undefined && declared <= maxBytes) return response;
  if (declared !== undefined) {
    await discard(response);
    throw tooLarge(maxBytes);
  }
  return new Response(response.body.pipeThrough(cap(maxBytes)), {
    status: response.status,
    statusText: response.statusText,
    headers: response.headers,
  });
}

/** Never fails: the far side may be gone already. */
async function discard(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => undefined);
}

/** The true size when the headers give it away: a compressed body may grow without bound. */
function declaredBytes(headers: Headers): number | undefined {
  if (headers.has("content-encoding") || headers.has("transfer-encoding")) return undefined;
  const text = headers.get("content-length");
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function cap(maxBytes: number): TransformStream<Uint8Array, Uint8Array> {
  let seen = 0;
  return new TransformStream({
    transform(chunk, controller) {
      seen += chunk.byteLength;
      if (seen > maxBytes) controller.error(tooLarge(maxBytes));
      else controller.enqueue(chunk);
    },
  });
}

function tooLarge(maxBytes: number): EgressFailure {
  return new EgressFailure("too_large", `the answer is larger than ${maxBytes} bytes`);
}
