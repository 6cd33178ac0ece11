type Deadline = { readonly atMs: number; readonly passed: () => void };

/**
 * Many deadlines over one timer of the runtime. Setting and clearing a timer each costs more than
 * the rest of a wait, and nearly every deadline is cancelled long before its time.
 *
 * The timer stands for the nearest deadline known when it was set; it may ring early, never late.
 */
export class Deadlines {
  readonly #pending = new Set<Deadline>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ringsAtMs = Number.POSITIVE_INFINITY;

  /** Call `passed` once after `waitMs`, unless the returned function is called before. */
  after(waitMs: number, passed: () => void): () => void {
    const deadline = { atMs: Date.now() + waitMs, passed };
    this.#pending.add(deadline);
    if (deadline.atMs < this.#ringsAtMs) this.#ring(deadline.atMs);
    return () => {
      this.#pending.delete(deadline);
      if (this.#pending.size === 0) this.#quiet();
    };
  }

  #ring(atMs: number): void {
    clearTimeout(this.#timer);
    this.#ringsAtMs = atMs;
    this.#timer = setTimeout(() => this.#rung(), Math.max(0, atMs - Date.now()));
  }

  #rung(): void {
    this.#ringsAtMs = Number.POSITIVE_INFINITY;
    const nowMs = Date.now();
    for (const deadline of this.#pending) {
      if (deadline.atMs > nowMs) continue;
      this.#pending.delete(deadline);
      deadline.passed();
    }
    const times = [...this.#pending].map((deadline) => deadline.atMs);
    if (times.length > 0) this.#ring(Math.min(...times));
  }

  /** Nothing is waited for: a timer left behind would keep the object from hibernating. */
  #quiet(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#ringsAtMs = Number.POSITIVE_INFINITY;
  }
}
