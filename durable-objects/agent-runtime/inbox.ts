/** Most frames a socket may send in a second; a person types fewer, a loop sends more. */
const FRAMES_PER_SECOND = 50;

/** UTF-16 units that may wait behind a check that takes long, and what each frame adds to them. */
const UNITS_WAITING = 4 * 1024 * 1024;
const UNITS_PER_FRAME = 1024;

type Waiting = { second: number; count: number; units: number; tail: Promise<void> };

/**
 * The frames of each socket on their way in, in memory only, so an eviction forgives.
 *
 * They are worked off one after the other: while one waits for its credential's check, the next
 * must not overtake it, or messages would change places.
 */
export class Inbox {
  readonly #sockets = new WeakMap<WebSocket, Waiting>();

  /** @returns false when this frame is one too many, in this second or behind others that wait. */
  admits(socket: WebSocket, units: number, nowMs: number): boolean {
    const waiting = this.#of(socket);
    const second = Math.floor(nowMs / 1000);
    waiting.count = waiting.second === second ? waiting.count + 1 : 1;
    waiting.second = second;
    return (
      waiting.count <= FRAMES_PER_SECOND &&
      (waiting.units === 0 || waiting.units + units <= UNITS_WAITING)
    );
  }

  /** `work` after all that came before it on this socket; resolves when it is done. */
  async inTurn(socket: WebSocket, units: number, work: () => Promise<void>): Promise<void> {
    const waiting = this.#of(socket);
    const weight = units + UNITS_PER_FRAME;
    waiting.units += weight;
    const done = waiting.tail.then(work).finally(() => {
      waiting.units -= weight;
    });
    waiting.tail = done.catch(() => undefined);
    await done;
  }

  #of(socket: WebSocket): Waiting {
    let waiting = this.#sockets.get(socket);
    if (!waiting) {
      waiting = { second: 0, count: 0, units: 0, tail: Promise.resolve() };
      this.#sockets.set(socket, waiting);
    }
    return waiting;
  }
}
