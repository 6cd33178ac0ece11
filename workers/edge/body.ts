/**
 * Bytes of a request to a JSON value, refusing on the way: length while reading, encoding, depth
 * and odd strings before parsing, prototype keys after it.
 *
 * Rules beyond RFC 8259, all answered 400 `malformed_json`: no byte order mark, at most 64 levels,
 * no NUL in strings, no half surrogate pairs, no key `__proto__`, no number beyond a double. Of keys that stand twice in one
 * object the last one counts, as RFC 8259 §4 allows; unknown fields are the schema's business.
 */
import { malformed } from "../../core/json/scan.ts";
import { parseJsonText } from "../../core/json/text.ts";
import { Problem } from "../../core/problem.ts";

/** Bytes, on the control plane. */
export const BODY_LIMIT = 1_048_576;
/** Bytes, on invoke. */
export const INVOKE_BODY_LIMIT = 10_485_760;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

type JsonOptions = {
  readonly limitBytes: number;
  /** An absent body is `{}`. */
  readonly optional: boolean;
  /** The field that JSON lines are the list of; absent: they are not taken. */
  readonly lines?: string;
};

/** Bodies that a stage before the route's own had to read; a body can be read once. */
const kept = new WeakMap<Request, { readonly value: unknown }>();

/**
 * The request's JSON, at most `limitBytes` long.
 *
 * @throws Problem `unsupported_media_type` | `too_large` | `malformed_json` | `bad_request`
 */
export async function readJson(request: Request, options: JsonOptions): Promise<unknown> {
  const before = kept.get(request);
  if (before !== undefined) return before.value;
  if (options.optional && bodyless(request)) return {};
  const contentType = request.headers.get("content-type");
  if (options.lines !== undefined && isJsonLines(contentType)) {
    return { [options.lines]: parseLines(await wholeBytes(request, options.limitBytes)) };
  }
  if (!isJson(contentType)) {
    throw new Problem("unsupported_media_type", "send application/json", {
      errors: [{ pointer: "content-type", detail: "must be application/json" }],
    });
  }
  return parseJson(await wholeBytes(request, options.limitBytes));
}

/**
 * The same for a stage that comes before the route: what is read is kept for the route to read.
 * An absent body is null here and stays absent there.
 */
export async function keepJson(request: Request, limitBytes: number): Promise<unknown> {
  if (bodyless(request)) return null;
  const value = await readJson(request, { limitBytes, optional: false });
  kept.set(request, { value });
  return value;
}

/** Browsers declare an empty body, other clients leave it out; both send none. */
function bodyless(request: Request): boolean {
  return request.body === null || request.headers.get("content-length") === "0";
}

/**
 * `readBytes`, for a route: a sender that goes away in the middle is no defect of ours.
 *
 * @throws Problem `too_large` | `bad_request`
 */
export async function wholeBytes(request: Request, limitBytes: number): Promise<Uint8Array> {
  try {
    return await readBytes(request, limitBytes);
  } catch (error) {
    throw error instanceof Problem ? error : new Problem("bad_request", "the body ended early");
  }
}

/** @throws Problem `malformed_json` */
export function parseJson(bytes: Uint8Array): unknown {
  return parseJsonText(decode(bytes), "body");
}

/**
 * The body, never more of it than `limitBytes`.
 *
 * HTTP framing holds a sender to the length it declared, so a body that declares an allowed one is
 * taken in one read (40 µs less than piece by piece) and its true length checked after. One that
 * declares none is counted as it arrives.
 *
 * @throws Problem `too_large`
 */
export async function readBytes(request: Request, limitBytes: number): Promise<Uint8Array> {
  if (request.body === null) return new Uint8Array(0);
  const declared = request.headers.get("content-length");
  if (declared === null) return countedBytes(request.body, limitBytes);
  if (!(Number(declared) <= limitBytes)) throw tooLarge(limitBytes);
  const bytes = new Uint8Array(await request.arrayBuffer());
  if (bytes.byteLength > limitBytes) throw tooLarge(limitBytes);
  return bytes;
}

async function countedBytes(
  body: ReadableStream<Uint8Array>,
  limitBytes: number,
): Promise<Uint8Array> {
  const reader = body.getReader();
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return joined(chunks, sizeBytes);
    sizeBytes += value.byteLength;
    if (sizeBytes > limitBytes) {
      // Not awaited: the caller is told now, the rest of the body is nobody's concern.
      reader.cancel().catch(() => {});
      throw tooLarge(limitBytes);
    }
    chunks.push(value);
  }
}

function joined(chunks: readonly Uint8Array[], sizeBytes: number): Uint8Array {
  const [first] = chunks;
  if (first !== undefined && chunks.length === 1) return first;
  const whole = new Uint8Array(sizeBytes);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}

function decode(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw malformed("the body is not UTF-8");
  }
}

/** A value on each line; what is wrong is told with its line, from 0. */
function parseLines(bytes: Uint8Array): readonly unknown[] {
  const lines = decode(bytes).split("\n");
  return lines.flatMap((line, i) =>
    line.trim() === "" ? [] : [parseJsonText(line, `line ${i} of the body`)],
  );
}

/** `application/jsonl`, and what else it is called. */
function isJsonLines(contentType: string | null): boolean {
  const [type = ""] = (contentType ?? "").toLowerCase().split(";");
  return ["application/jsonl", "application/x-ndjson", "application/x-jsonlines"].includes(
    type.trim(),
  );
}

/** `application/json` or `+json`, in UTF-8 when a charset is named. */
function isJson(contentType: string | null): boolean {
  if (contentType === null) return false;
  if (contentType === "application/json") return true;
  const [type = "", ...parameters] = contentType.toLowerCase().split(";");
  if (!/^application\/(?:[a-z0-9.+-]{1,64}\+)?json$/.test(type.trim())) return false;
  return parameters.every((it) => !it.includes("charset") || /=\s*"?utf-8"?\s*$/.test(it));
}

function tooLarge(limitBytes: number): Problem {
  return new Problem("too_large", `the body is longer than ${limitBytes} bytes`);
}
