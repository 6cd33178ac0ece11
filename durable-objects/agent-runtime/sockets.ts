/**
 * Chat over WebSockets, hibernating between turns.
 *
 * S1  A socket belongs to one session of one principal; what it knows survives in its attachment.
 * S2  Events are sent in the session's order, from the log only, so what is sent was stored (A5).
 * S3  A socket whose credential was last checked longer ago than the cache time is checked again
 *     before anything is received or sent (DECISIONS 24).
 */
import type { Meter } from "../../core/limits/contract.ts";
import { seqOf, type Place, type ServerFrame } from "../../core/sessions/frames.ts";
import { readEvents } from "./events.ts";
import type { Naming } from "./invocations.ts";
import type { Kernel } from "./kernel.ts";
import { logDefect } from "./runner.ts";
import { turnFrom } from "./session-log.ts";
import type { Grant } from "./standing.ts";
import { complete, ended, ends } from "./stream.ts";
import type { Owner } from "./contract.ts";

/**
 * What a socket's attachment holds. The runtime allows 2 KB; nothing here grows with what a client
 * or an issuer of tokens makes up: names of principals stay in the session's row.
 */
export type Attachment = {
  readonly grant: Grant;
  readonly sessionId: string;
  readonly place: Place;
  readonly checkedAtMs: number;
  /** What was live when it was checked: the next turn runs that. */
  readonly generation: number;
  /**
   * Limits of its key as they were then, some four hundred characters at most; absent in what code
   * before there were any has attached.
   */
  readonly meter?: Meter | null;
};

/** Rows of the log that are sent at once. */
const PIECE = 64;

export function attachmentOf(socket: WebSocket): Attachment {
  return socket.deserializeAttachment() as Attachment; // we alone write it
}

export function attach(socket: WebSocket, change: Partial<Attachment>): void {
  socket.serializeAttachment({ ...attachmentOf(socket), ...change });
}

export function send(socket: WebSocket, frame: ServerFrame): void {
  if (isOpen(socket)) socket.send(JSON.stringify(frame));
}

export function isOpen(socket: WebSocket): boolean {
  return socket.readyState === WebSocket.OPEN;
}

export function close(socket: WebSocket, code: number, reason: string): void {
  if (isOpen(socket)) socket.close(code, reason);
}

/**
 * Sends sockets what their sessions have for them.
 *
 * A pump empties the log into its socket and ends: it waits for nothing, so between changes there
 * is neither timer nor promise that would keep the object from hibernating. Whoever writes events
 * has it begun again.
 */
export class Pumps {
  readonly #kernel: Kernel;
  readonly #naming: (owner: Owner) => Naming;
  /** S3: false closes the socket. */
  readonly #allowed: (socket: WebSocket) => Promise<boolean>;
  readonly #pumping = new Map<WebSocket, { again: boolean }>();
  readonly #held = new Set<WebSocket>();

  constructor(
    kernel: Kernel,
    naming: (owner: Owner) => Naming,
    allowed: (socket: WebSocket) => Promise<boolean>,
  ) {
    this.#kernel = kernel;
    this.#naming = naming;
    this.#allowed = allowed;
  }

  /** There may be something to send. */
  pump(socket: WebSocket): void {
    const busy = this.#pumping.get(socket);
    if (busy) busy.again = true;
    else void this.#drain(socket).catch((e: unknown) => logDefect("chat.defect", e));
  }

  /** No event is sent while `work` lasts, so that what it sends comes before them. */
  async held<T>(socket: WebSocket, work: () => Promise<T>): Promise<T> {
    this.#held.add(socket);
    try {
      return await work();
    } finally {
      this.#held.delete(socket);
      this.pump(socket);
    }
  }

  async #drain(socket: WebSocket): Promise<void> {
    const state = { again: true };
    this.#pumping.set(socket, state);
    try {
      while (state.again && this.#mayBeSent(socket)) {
        state.again = false;
        while (await this.#sendNext(socket));
      }
    } finally {
      this.#pumping.delete(socket);
    }
  }

  #mayBeSent(socket: WebSocket): boolean {
    return isOpen(socket) && !this.#held.has(socket);
  }

  /** @returns false when nothing that is stored is left to send. */
  async #sendNext(socket: WebSocket): Promise<boolean> {
    if (!this.#mayBeSent(socket)) return false;
    const { sessionId, place } = attachmentOf(socket);
    const next = turnFrom(this.#kernel, sessionId, place.turn);
    if (next === undefined) return false;
    if (next.turn !== place.turn) {
      attach(socket, { place: { turn: next.turn, seq: 0 } });
      return true;
    }
    const { id } = next;
    const events = readEvents(this.#kernel.sql, id, place.seq, PIECE);
    if (events.length === 0) {
      if (!ended(this.#kernel, id)) return false;
      attach(socket, { place: { turn: place.turn + 1, seq: 0 } });
      return true;
    }
    if (!(await this.#allowed(socket)) || !this.#mayBeSent(socket)) return false;
    // A resume may have moved the socket while its credential was checked.
    if (seqOf(attachmentOf(socket).place) !== seqOf(place)) return true;
    this.#sendEvents(socket, id, place, events);
    // A long log goes out piece by piece, and others have their turn in between.
    if (events.length >= PIECE) await new Promise((resolve) => setTimeout(resolve, 0));
    return true;
  }

  #sendEvents(
    socket: WebSocket,
    id: string,
    { turn }: Place,
    events: ReturnType<typeof readEvents>,
  ): void {
    const { owner } = attachmentOf(socket).grant;
    const naming = () => this.#naming(owner);
    for (const stored of events) {
      const { seq, event, data } = complete(this.#kernel, id, stored, naming);
      send(socket, { type: "event", seq: seqOf({ turn, seq }), invocation_id: id, event, data });
    }
    const last = events.at(-1);
    if (!last) return;
    attach(socket, { place: ends(last) ? { turn: turn + 1, seq: 0 } : { turn, seq: last.seq } });
  }
}
