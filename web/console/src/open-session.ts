import type {
  Invocation,
  InvocationEvent,
  InvocationSummary,
} from "../../../core/invocations/contract.ts";
import type { Page } from "../../../core/page.ts";
import { ask, askJson, newIdempotencyKey, type ApiProblem } from "./api.ts";
import { asProblem } from "./load.ts";
import { follow, type Opener } from "./stream.ts";
import { textOf } from "./said.ts";
import { applyEvent, newTurn, pending, turnOf, type Turn } from "./turn.ts";

/** Turns of an earlier session that are read back. */
const TURNS_SHOWN = 30;

export type Place = {
  readonly agent: string;
  readonly environment: string;
  /** Null for a session that begins with the next input. */
  readonly session: string | null;
  /** Invocations of the session that the listing, which lags, may not have yet. */
  readonly known: readonly string[];
};

export type Transcript = {
  readonly turns: readonly Turn[];
  readonly loading: boolean;
  /** Why the earlier turns could not be read. */
  readonly problem: ApiProblem | null;
};

/**
 * One session on the screen: the turns before are read, those from here are followed.
 *
 * S1  Nothing is told after `leave`; what was running runs on at the server.
 * S2  A stop wished for before the invocation has a name is carried out when it has one.
 */
export class OpenSession {
  readonly #place: Place;
  readonly #tell: (transcript: Transcript) => void;
  readonly #accepted: (session: string, known: readonly string[]) => void;
  readonly #leaving = new AbortController();
  readonly #stopping = new Set<string>();
  /** How each turn asked here was asked, to ask it again. */
  readonly #openers = new Map<string, Opener>();
  #session: string | null;
  #known: readonly string[];
  #transcript: Transcript;

  /**
   * @param tell      Called with every change, first before the constructor returns.
   * @param accepted  Called for every input that was accepted, with its session (the first input
   *                  begins it) and all invocations known of it.
   */
  constructor(
    place: Place,
    tell: (transcript: Transcript) => void,
    accepted: (session: string, known: readonly string[]) => void,
  ) {
    this.#place = place;
    this.#session = place.session;
    this.#known = place.known;
    this.#tell = tell;
    this.#accepted = accepted;
    this.#transcript = { turns: [], loading: place.session !== null, problem: null };
    tell(this.#transcript);
    if (place.session !== null) void this.#read(place.session);
  }

  /** Is this the session of that address, also when it had no id at first? */
  stands({ agent, environment, session }: Omit<Place, "known">): boolean {
    const mine = this.#place;
    return mine.agent === agent && mine.environment === environment && this.#session === session;
  }

  send(text: string): void {
    const key = newIdempotencyKey();
    const { agent, environment } = this.#place;
    const body = { input: text, ...(this.#session === null ? {} : { session_id: this.#session }) };
    const start = () =>
      ask(`/a/${agent}/invoke?environment=${encodeURIComponent(environment)}`, {
        method: "POST",
        json: body,
        headers: { accept: "text/event-stream", "idempotency-key": key },
        signal: this.#leaving.signal,
      });
    this.#change({ turns: [...this.#transcript.turns, newTurn(key, text)] });
    void this.#follow(key, { start, resume: this.#resume });
  }

  /**
   * Follow a turn from its beginning again: one whose connection was lost, or that was refused.
   * The idempotency key is the same, so what was accepted after all is not done twice.
   */
  again(key: string): void {
    const opener = this.#openers.get(key);
    if (opener === undefined) return;
    this.#turn(key, ({ asked }) => newTurn(key, asked));
    void this.#follow(key, opener);
  }

  /** Cancel what is running. */
  stop(): void {
    for (const turn of this.#transcript.turns.filter(pending)) {
      if (turn.id === null) this.#stopping.add(turn.key);
      else void this.#cancel(turn.key, turn.id);
    }
  }

  leave(): void {
    this.#leaving.abort();
  }

  async #read(session: string): Promise<void> {
    const { signal } = this.#leaving;
    try {
      const turns = await readTurns({ ...this.#place, session }, signal);
      this.#change({ turns, loading: false });
      for (const { key } of turns.filter(pending)) {
        void this.#follow(key, { start: () => this.#resume(key, 0), resume: this.#resume });
      }
    } catch (e) {
      this.#change({ problem: asProblem(e), loading: false });
    }
  }

  async #follow(key: string, opener: Opener): Promise<void> {
    this.#openers.set(key, opener);
    try {
      const options = {
        pause: (ms: number) => pauseFor(ms, this.#leaving.signal),
        onLink: (link: Turn["link"]) => this.#turn(key, (turn) => ({ ...turn, link })),
      };
      for await (const event of follow(opener, options)) this.#take(key, event);
    } catch (e) {
      this.#turn(key, (turn) => ({ ...turn, problem: asProblem(e) }));
    }
  }

  #take(key: string, event: InvocationEvent): void {
    this.#turn(key, (turn) => applyEvent(turn, event));
    if (event.event !== "invocation.accepted" || this.#leaving.signal.aborted) return;
    const id = textOf(event.data["invocation_id"]);
    this.#session = textOf(event.data["session_id"]);
    this.#known = [...this.#known, id].slice(-TURNS_SHOWN);
    this.#accepted(this.#session, this.#known);
    if (this.#stopping.delete(key)) void this.#cancel(key, id); // S2
  }

  /** Cancelling twice is cancelling once; the stream tells how it ended. */
  async #cancel(key: string, id: string): Promise<void> {
    try {
      const headers = { "idempotency-key": `cancel-${id}` };
      await ask(`/v1/invocations/${id}/cancel`, { method: "POST", json: {}, headers });
    } catch (e) {
      this.#turn(key, (turn) => (pending(turn) ? { ...turn, problem: asProblem(e) } : turn));
    }
  }

  readonly #resume = (id: string, after: number): Promise<Response> =>
    ask(`/v1/invocations/${id}/events`, {
      headers: { accept: "text/event-stream", "last-event-id": String(after) },
      signal: this.#leaving.signal,
    });

  #turn(key: string, to: (turn: Turn) => Turn): void {
    const { turns } = this.#transcript;
    this.#change({ turns: turns.map((turn) => (turn.key === key ? to(turn) : turn)) });
  }

  #change(change: Partial<Transcript>): void {
    if (this.#leaving.signal.aborted) return; // S1
    this.#transcript = { ...this.#transcript, ...change };
    this.#tell(this.#transcript);
  }
}

/** The last turns of a session, oldest first. The listing has no texts: each is read by its id. */
async function readTurns(
  place: Place & { readonly session: string },
  signal: AbortSignal,
): Promise<Turn[]> {
  const { agent, session, known } = place;
  const query = new URLSearchParams({ agent, session, limit: String(TURNS_SHOWN) });
  const page = await askJson<Page<InvocationSummary>>(`/v1/invocations?${query}`, { signal });
  const ids = new Set([...page.data.map(({ id }) => id), ...known]);
  const reads = [...ids].map((id) => askJson<Invocation>(`/v1/invocations/${id}`, { signal }));
  const invocations = await Promise.all(reads);
  return invocations
    .filter((invocation) => invocation.session_id === session)
    .toSorted((a, b) => a.created_at.localeCompare(b.created_at))
    .map((invocation) => turnOf(invocation));
}

function pauseFor(ms: number, leaving: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    leaving.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(leaving.reason);
    });
  });
}
