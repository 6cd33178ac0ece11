/**
 * Chat over WebSockets, hibernating between turns.
 *
 * S1  A socket belongs to one session of one principal; what it knows survives in its attachment.
 * S2  Events are sent in the session's order, from the log only, so what is sent was stored (A5).
 * S3  A socket whose credential was last checked longer ago than the cache time is checked again
 *     before anything is received or sent (DECISIONS 24).
 */
import { placeOf, seqOf, type Place, type ServerFrame } from "../../core/sessions/frames.ts";
import { readEvents } from "./events.ts";
import type { Naming } from "./invocations.ts";
import type { Kernel } from "./kernel.ts";
import { complete, ended, ends } from "./stream.ts";
import type { Owner } from "./contract.ts";

/** How long a pump waits for the next event before it looks at the log again. */
const LOOK_MS = 15_000;

/** What a socket's attachment holds; at most 2 KB by the runtime's rule. */
export type Attachment = {
  readonly owner: Owner;
  readonly principal: string;
  /** The API key to check again, or null for a credential that only ends by time. */
  readonly keyId: string | null;
  readonly expiresAtMs: number | null;
  readonly sessionId: string;
  readonly place: Place;
  readonly checkedAtMs: number;
  readonly generation: number;
};

export function attachmentOf(socket: WebSocket): Attachment {
  return socket.deserializeAttachment() as Attachment; // we alone write it
}

export function attach(socket: WebSocket, change: Partial<Attachment>): Attachment {
  const attachment = { ...attachmentOf(socket), ...change };
  socket.serializeAttachment(attachment);
  return attachment;
}

export function send(socket: WebSocket, frame: ServerFrame): void {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame));
}

/** The invocation that is a session's turn `turn`, if it has come to it. */
function invocationAt(kernel: Kernel, sessionId: string, turn: number): string | undefined {
  return kernel.sql.one<{ invocation_id: string }>(
    "SELECT invocation_id FROM message WHERE session_id = ? AND turn = ? AND n = 0",
    sessionId,
    turn,
  )?.invocation_id;
}

/** Where a session stands: before its first open turn, or after its last. */
export function endOf(kernel: Kernel, sessionId: string): Place {
  const open = kernel.sql.one<{ turn: number | null }>(
    "SELECT min(turn) AS turn FROM invocation WHERE session_id = ? AND completed_ms IS NULL",
    sessionId,
  );
  if (open?.turn != null) return { turn: open.turn, seq: 0 };
  const session = kernel.sql.one<{ turns: number }>(
    "SELECT turns FROM session WHERE id = ?",
    sessionId,
  );
  return { turn: session?.turns ?? 0, seq: 0 };
}

/** Sends sockets what their sessions have for them; one pump a socket, none while all is quiet. */
export class Pumps {
  readonly #kernel: Kernel;
  readonly #naming: (owner: Owner) => Naming;
  /** S3: false closes the socket. */
  readonly #allowed: (socket: WebSocket) => Promise<boolean>;
  readonly #pumping = new Map<WebSocket, { again: boolean }>();

  constructor(
    kernel: Kernel,
    naming: (owner: Owner) => Naming,
    allowed: (socket: WebSocket) => Promise<boolean>,
  ) {
    this.#kernel = kernel;
    this.#naming = naming;
    this.#allowed = allowed;
  }

  /** There may be something to send; begun here, it ends by itself when the session is quiet. */
  async pump(socket: WebSocket): Promise<void> {
    const busy = this.#pumping.get(socket);
    if (busy) {
      busy.again = true;
      return;
    }
    const state = { again: true };
    this.#pumping.set(socket, state);
    try {
      while (state.again && socket.readyState === WebSocket.OPEN) {
        state.again = false;
        while (await this.#sendNext(socket));
      }
    } finally {
      this.#pumping.delete(socket);
    }
  }

  /** @returns false when nothing is left to send and nothing is under way. */
  async #sendNext(socket: WebSocket): Promise<boolean> {
    if (socket.readyState !== WebSocket.OPEN) return false;
    const { sessionId, place } = attachmentOf(socket);
    const id = invocationAt(this.#kernel, sessionId, place.turn);
    if (id === undefined) return false;
    const events = readEvents(this.#kernel.sql, id, place.seq);
    if (events.length > 0) {
      if (!(await this.#allowed(socket))) return false;
      // A resume may have moved the socket while its credential was checked.
      if (seqOf(attachmentOf(socket).place) !== seqOf(place)) return true;
      this.#sendEvents(socket, id, place, events);
      return true;
    }
    if (ended(this.#kernel, id)) attach(socket, { place: { turn: place.turn + 1, seq: 0 } });
    else await this.#kernel.feed.change(id, LOOK_MS);
    return true;
  }

  #sendEvents(
    socket: WebSocket,
    id: string,
    place: Place,
    events: ReturnType<typeof readEvents>,
  ): void {
    const { owner } = attachmentOf(socket);
    let next = place;
    for (const event of events) {
      const {
        seq,
        event: name,
        data,
      } = complete(this.#kernel, id, event, () => this.#naming(owner));
      next = { turn: place.turn, seq };
      send(socket, { type: "event", seq: seqOf(next), invocation_id: id, event: name, data });
    }
    const last = events.at(-1);
    attach(socket, { place: last && ends(last) ? { turn: place.turn + 1, seq: 0 } : next });
  }
}

/** Begin again after event `seq` of the session. */
export function resumeAt(socket: WebSocket, seq: number): void {
  attach(socket, { place: placeOf(seq) });
}
