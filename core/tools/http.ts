import type { z } from "zod";
import { EgressFailure, retryAfter } from "../egress/contract.ts";
import type { Fetch } from "../models/contract.ts";
import { discard, readText } from "./answer-text.ts";
import {
  ToolFailure,
  type HttpTool,
  type LookedUp,
  type Tool,
  type ToolAnswer,
  type ToolContext,
  type ToolResult,
  type ToolRules,
} from "./contract.ts";
import { failed, refusedArguments } from "./refusal.ts";
import { checkArguments } from "./schema.ts";
import { parseTemplate, type UrlTemplate } from "./url-template.ts";

type HttpSpec = z.infer<typeof HttpTool>;
type Arguments = Readonly<Record<string, unknown>>;

const MOST_BYTES = 1024 * 1024;
/** As much of an error's or an oversized answer's text as a model needs to act on it. */
const MOST_SHOWN = 8192;
const LONGEST_URL = 8000;
/** What a look-up's URL calls the key of the call it asks about. */
const KEY_NAME = "idempotency_key";
const TEXTUAL =
  /^(?:text\/[\w.+-]+|application\/(?:[\w.+-]+\+)?(?:json|xml)|application\/(?:x-ndjson|javascript|x-www-form-urlencoded|yaml))$/;

type HttpPorts = {
  /** Behind the egress rule. */
  readonly fetch: Fetch;
  readonly secret: (name: string) => string | undefined;
};

/** One HTTP request per call (docs in ./contract.ts). */
export function httpTool(spec: HttpSpec, { fetch, secret }: HttpPorts): Tool {
  const template = parseTemplate(spec.url);
  const { name, description, input_schema: inputSchema } = spec;
  return {
    offer: { name, description, inputSchema },
    // A GET is safe to send again by definition (RFC 9110 §9.2.1).
    idempotent: spec.idempotent || spec.method === "GET",
    approval: spec.approval,
    rules: rulesOf(spec),
    ...(spec.lookup && { lookup: lookupOf(spec, spec.lookup.url, { fetch, secret }) }),
    async call(args, { idempotencyKey, signal }) {
      const places = checkArguments(inputSchema, args);
      if (places.length > 0) return refusedArguments(places);
      if (typeof template === "string") return failed(`This tool's URL is unusable: ${template}.`);
      const headers = headersOf(spec, secret);
      headers.set("idempotency-key", idempotencyKey);
      const request = requestOf(spec, template, args as Arguments, headers); // an object
      if ("content" in request) return request;
      return send(spec, fetch, request, signal);
    },
  };
}

function rulesOf(spec: HttpSpec): ToolRules {
  const { retry, breaker, compensate_with: compensateWith, on_unknown: onUnknown, offered } = spec;
  const { price_micros: priceMicros } = spec;
  const origin = /^[^/]*\/\/[^/?]+/.exec(spec.url)?.[0].toLowerCase() ?? spec.url;
  return {
    retry,
    breaker: breaker && { name: `tool/${origin}`, policy: breaker },
    compensateWith,
    onUnknown,
    offered,
    priceMicros,
  };
}

/** @throws ToolFailure  from the look-up when the far side does not say whether it happened */
function lookupOf(spec: HttpSpec, url: string, { fetch, secret }: HttpPorts) {
  const template = parseTemplate(url);
  return async (args: unknown, { idempotencyKey, signal }: ToolContext): Promise<LookedUp> => {
    const values = { ...(args as Arguments), [KEY_NAME]: idempotencyKey }; // an object
    const target = typeof template === "string" ? undefined : template.expand(values);
    if (!(target instanceof URL)) throw new ToolFailure("The look-up's URL is unusable.", false);
    const init = { method: "GET", headers: headersOf(spec, secret) };
    return exchange(spec, fetch, { url: target, init }, signal, async (response, stop) => {
      const { status } = response;
      if (status === 404 || status === 410) {
        await discard(response);
        return { happened: false };
      }
      if (!response.ok || status === 202) {
        await discard(response);
        throw new ToolFailure(`The look-up was answered ${status}.`, true);
      }
      const { content, isError } = await resultOf(response, stop);
      return { happened: true, result: { content, isError } };
    });
  };
}

type Prepared = { readonly url: URL; readonly init: RequestInit };

function requestOf(
  spec: HttpSpec,
  template: UrlTemplate,
  args: Arguments,
  headers: Headers,
): Prepared | ToolResult {
  const url = template.expand(args);
  if (!(url instanceof URL)) return refusedArguments([url]);
  const rest = Object.entries(args).filter(([key]) => !template.names.includes(key));
  const init: RequestInit = { method: spec.method, headers };
  if (spec.method === "GET" || spec.method === "DELETE") {
    for (const [key, value] of rest) appendQuery(url, key, value);
  } else {
    headers.set("content-type", "application/json");
    init.body = jsonObject(rest);
  }
  if (url.href.length > LONGEST_URL) return failed("The arguments are too long for a URL.");
  return { url, init };
}

/** @throws ToolFailure  nothing is sent, when a secret is not there or is no text for a header. */
function headersOf(spec: HttpSpec, secret: HttpPorts["secret"]): Headers {
  const headers = new Headers({ accept: "application/json, text/*;q=0.9" });
  for (const [name, value] of Object.entries(spec.headers)) {
    if (typeof value === "string") headers.set(name, value);
    else headers.set(name, `${value.prefix ?? ""}${headerSecret(value.secret, secret)}`);
  }
  return headers;
}

/** Judged here: what refuses a header would repeat it in its error. */
function headerSecret(name: string, secret: HttpPorts["secret"]): string {
  const value = secret(name);
  if (value === undefined) throw new ToolFailure(`Not sent: there is no secret ${name}.`, false);
  if (/^[\x20-\x7e]*$/.test(value)) return value;
  throw new ToolFailure(`Not sent: the secret ${name} is no text for a header.`, false);
}

/** Lists become repeated fields, null is left out, anything nested is sent as JSON. */
function appendQuery(url: URL, key: string, value: unknown): void {
  if (Array.isArray(value)) {
    for (const item of value)
      appendQuery(url, key, Array.isArray(item) ? JSON.stringify(item) : item);
  } else if (value !== null && value !== undefined) {
    url.searchParams.append(key, typeof value === "string" ? value : JSON.stringify(value));
  }
}

/** Written member by member: built as an object, a key named __proto__ would get lost. */
function jsonObject(members: readonly (readonly [string, unknown])[]): string {
  const written = members.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
  return `{${written.join(",")}}`;
}

async function send(
  spec: HttpSpec,
  guarded: Fetch,
  request: Prepared,
  signal: AbortSignal,
): Promise<ToolAnswer> {
  try {
    return await exchange(spec, guarded, request, signal, resultOf);
  } catch (error) {
    if (!(error instanceof EgressFailure)) throw error;
    return failed(`The answer was not taken: ${error.message}.`);
  }
}

async function exchange<T>(
  spec: HttpSpec,
  guarded: Fetch,
  { url, init }: Prepared,
  signal: AbortSignal,
  read: (response: Response, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  // A timer of our own and not AbortSignal.timeout: what is left ticking keeps an object awake.
  const stop = new AbortController();
  const onAbort = (): void => stop.abort(signal.reason);
  const timer = setTimeout(() => stop.abort(new TimedOut()), spec.timeout_ms);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    signal.throwIfAborted();
    const response = await guarded(url, { ...init, signal: stop.signal });
    return await read(response, stop.signal);
  } catch (error) {
    throw unanswered(error, spec, stop.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}

class TimedOut extends Error {
  override readonly name = "TimeoutError";
}

async function resultOf(response: Response, signal: AbortSignal): Promise<ToolAnswer> {
  const type = response.headers.get("content-type")?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (type !== "" && !TEXTUAL.test(type)) {
    await discard(response);
    return failed(
      `HTTP ${response.status}: the answer is ${type.slice(0, 80)}, which is not text.`,
    );
  }
  const { text, cut } = await readText(response, MOST_BYTES, signal);
  if (text.includes("\u0000")) return failed(`HTTP ${response.status}: the answer is not text.`);
  if (cut) return failed(`The answer is larger than 1 MiB and was cut. It begins:\n${shown(text)}`);
  if (!response.ok) {
    const told = failed(`HTTP ${response.status}${text === "" ? "" : `\n${shown(text)}`}`);
    const temporary = temporaryOf(response);
    return temporary ? { ...told, temporary } : told;
  }
  return { content: text === "" ? `HTTP ${response.status}, no content` : text, isError: false };
}

function shown(text: string): string {
  return text.slice(0, MOST_SHOWN).toWellFormed();
}

/** Does it say that it could not answer now? */
function temporaryOf({ status, headers }: Response): ToolAnswer["temporary"] {
  if (status !== 408 && status !== 429 && status < 500) return undefined;
  const retryAfterMs = retryAfter(headers);
  const kind =
    status === 408 ? "timeout" : status === 429 ? ("rate_limited" as const) : "server_error";
  return { kind, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}

/** The cases in which no answer was had; a redirect is one that was had and is not followed. */
function unanswered(error: unknown, spec: HttpSpec, signal: AbortSignal): Error {
  if (error instanceof ToolFailure) return error;
  if (error instanceof EgressFailure) {
    if (error.reason !== "refused") return error;
    return new ToolFailure(`Not sent: ${error.message}.`, false);
  }
  if (!signal.aborted) return new ToolFailure("The connection failed.", true, "unreachable");
  if (signal.reason instanceof TimedOut) {
    const detail = `There was no answer within ${spec.timeout_ms} ms.`;
    return new ToolFailure(detail, true, "timeout");
  }
  return new ToolFailure("The call was cancelled.", true);
}
