import type { InvocationEvent } from "../../../core/invocations/contract.ts";
import { ApiProblem } from "./api.ts";
import { readSse, type SseEvent } from "./sse.ts";

export type Opener = {
  /** Ask for the work; safe to ask again, because the request carries an idempotency key. */
  start(): Promise<Response>;
  /** Continue a known invocation behind event `after`. */
  resume(invocationId: string, after: number): Promise<Response>;
};

export type FollowOptions = {
  readonly invocationId?: string | undefined;
  /** Waits `ms`, or rejects when the reader has gone away. */
  readonly pause: (ms: number) => Promise<void>;
  /** Told `reconnecting` when the connection is lost and `live` when it is back. */
  readonly onLink: (link: "live" | "reconnecting") => void;
};

/** Attempts in a row without a new event before giving up: about half a minute. */
const MAX_ATTEMPTS = 8;

/**
 * The events of one invocation to its end, each once, across lost connections.
 *
 * Until the first event names the invocation a lost connection repeats `start`; from then on it
 * resumes behind the last event seen.
 *
 * @throws ApiProblem  when the server refuses, or stays away for `MAX_ATTEMPTS`.
 */
export async function* follow(
  open: Opener,
  options: FollowOptions,
): AsyncGenerator<InvocationEvent> {
  let id = options.invocationId;
  let after = 0;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const answer = id === undefined ? await open.start() : await open.resume(id, after);
      options.onLink("live");
      if (answer.body === null) return;
      for await (const sse of readSse(answer.body)) {
        const event = invocationEvent(sse);
        if (event === undefined || event.seq <= after) continue;
        attempt = 0;
        after = event.seq;
        id ??= invocationIdOf(event);
        yield event;
        if (endsInvocation(event)) return;
      }
    } catch (e) {
      if (!worthRepeating(e) || attempt >= MAX_ATTEMPTS) throw e;
    }
    if (attempt >= MAX_ATTEMPTS) throw new ApiProblem(LOST);
    options.onLink("reconnecting");
    await options.pause(backoffMs(attempt));
  }
}

const LOST = {
  title: "The connection was lost",
  detail: "The run goes on without us; its invocation shows how it ended.",
  status: 0,
  code: "connection_lost",
};

/** An event after which the stream has nothing more to say. */
export function endsInvocation({ event }: InvocationEvent): boolean {
  return (
    event === "invocation.succeeded" ||
    event === "invocation.failed" ||
    event === "invocation.cancelled" ||
    event === "invocation.dead"
  );
}

function invocationEvent({ id, event, data }: SseEvent): InvocationEvent | undefined {
  const seq = Number(id);
  if (!Number.isSafeInteger(seq) || seq < 1) return undefined;
  // The names are a closed set of the same release; one we do not know falls through the reducer.
  return { seq, event: event as InvocationEvent["event"], data: JSON.parse(data) };
}

/** `invocation.accepted` names the invocation. */
function invocationIdOf({ data }: InvocationEvent): string | undefined {
  const id = data["invocation_id"];
  return typeof id === "string" ? id : undefined;
}

/** A refusal is an answer; only silence and an overfull server are worth asking again. */
function worthRepeating(e: unknown): boolean {
  if (e instanceof ApiProblem) {
    return e.document.code === "unreachable" || e.document.code === "overloaded";
  }
  return e instanceof TypeError;
}

/** 0 after a stream that made progress, then 0.5 s doubling to 8 s. */
function backoffMs(attempt: number): number {
  return attempt === 0 ? 0 : Math.min(500 * 2 ** (attempt - 1), 8000);
}
