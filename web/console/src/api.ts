import type { ProblemDocument } from "./wire.ts";

/** A refusal of the server, or `code: "unreachable"` when there was no answer at all. */
export class ApiProblem extends Error {
  override readonly name = "ApiProblem";
  readonly document: ProblemDocument;
  /** Whole seconds of `Retry-After`, when the server named them. */
  readonly retryAfterS: number | undefined;

  constructor(document: ProblemDocument, retryAfterS?: number) {
    super(document.detail ?? document.title);
    this.document = document;
    this.retryAfterS = retryAfterS;
  }
}

const UNREACHABLE: ProblemDocument = {
  title: "The server cannot be reached",
  detail: "Check the connection and try again.",
  status: 0,
  code: "unreachable",
};

export type Ask = {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly json?: unknown;
  /** A body that is no JSON, with its media type. */
  readonly body?: { readonly bytes: Blob; readonly type: string };
  /** The revision the change is made to: what somebody else changed meanwhile is not overwritten. */
  readonly revision?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
};

/**
 * One request to our own origin, with the session cookie.
 *
 * @throws ApiProblem  for every answer that is not 2xx, and for none at all.
 * @throws DOMException `AbortError` when `signal` fires.
 */
export async function ask(path: string, options: Ask = {}): Promise<Response> {
  const { method = "GET", json, body, revision, signal } = options;
  const headers: Record<string, string> = { accept: "application/json", ...options.headers };
  if (json !== undefined) headers["content-type"] = "application/json";
  if (body !== undefined) headers["content-type"] = body.type;
  if (revision !== undefined) headers["if-match"] = `"${revision}"`;
  const answer = await fetch(path, {
    method,
    headers,
    credentials: "same-origin",
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    ...(body === undefined ? {} : { body: body.bytes }),
    ...(signal ? { signal } : {}),
  }).catch((e: unknown) => {
    if (signal?.aborted) throw e;
    throw new ApiProblem(UNREACHABLE);
  });
  if (answer.ok) return answer;
  const problem = await readProblem(answer);
  if (answer.status === 401) for (const tell of unauthenticated) tell();
  throw problem;
}

/** The JSON of an answer. The page ships with the server it talks to, so its shape is trusted. */
export async function askJson<T>(path: string, options: Ask = {}): Promise<T> {
  const answer = await ask(path, options);
  const value: T = await answer.json();
  return value;
}

const unauthenticated = new Set<() => void>();

/** Hear of every 401: the session has ended, whatever was being asked. Returns the way to stop. */
export function onUnauthenticated(tell: () => void): () => void {
  unauthenticated.add(tell);
  return () => void unauthenticated.delete(tell);
}

/** 128 random bits in hex. Not `randomUUID`, which plain-http hosts other than loopback lack. */
export function newIdempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function readProblem(answer: Response): Promise<ApiProblem> {
  const seconds = Number(answer.headers.get("retry-after") ?? "");
  const retryAfterS = Number.isFinite(seconds) && seconds > 0 ? seconds : undefined;
  const body: unknown = await answer.json().catch(() => undefined);
  if (isProblemDocument(body)) return new ApiProblem(body, retryAfterS);
  const title = `The server answered ${answer.status}`;
  return new ApiProblem({ title, status: answer.status, code: "unreadable" }, retryAfterS);
}

function isProblemDocument(body: unknown): body is ProblemDocument {
  return typeof body === "object" && body !== null && "title" in body && "code" in body;
}
