/**
 * Named points at which a local test run may kill the object (GUARANTEES §3, last line).
 *
 * `abort` is absent outside local runs: then `at` does nothing.
 */
export const FAULT_POINTS = [
  "before-accept",
  "after-accept",
  "after-claim",
  "before-model",
  "after-model",
  "before-tool",
  "after-tool",
  "before-settle",
  "after-settle",
  "before-retry",
  "after-cancel",
  "before-acknowledge",
  "after-delta",
] as const;
export type FaultPoint = (typeof FAULT_POINTS)[number];

/** Points that have struck in this isolate: an object that comes back must not die of them again. */
const struck = new Set<FaultPoint>();

export class Faults {
  readonly #armed = new Map<FaultPoint, number>();
  /** Effect boundaries since `watch`; undefined while nobody watches. */
  #passed: string[] | undefined;
  #deadly: string | undefined;
  readonly #abort: ((reason: string) => void) | undefined;
  readonly #flush: () => Promise<void>;

  /**
   * @param configured  Names from FAULT_POINTS: each strikes once in this isolate, then rests.
   * @param flush       Resolves when all that was written is on disk.
   */
  constructor(
    abort?: (reason: string) => void,
    configured: readonly string[] = [],
    flush: () => Promise<void> = async () => {},
  ) {
    this.#abort = abort;
    this.#flush = flush;
    for (const point of FAULT_POINTS) {
      if (configured.includes(point) && !struck.has(point)) this.arm(point);
    }
  }

  /** Let the `visit`th pass (1 = the next) of a point kill the object, once. */
  arm(point: FaultPoint, visit = 1): void {
    this.#armed.set(point, visit);
  }

  /**
   * Note every effect boundary from here on.
   *
   * @param deadly  The one at which the object dies.
   * @returns       A list that grows.
   */
  watch(deadly?: string): readonly string[] {
    this.#deadly = deadly;
    this.#passed = [];
    return this.#passed;
  }

  /** Does somebody watch? Only then is there anything to tell at a boundary. */
  get watched(): boolean {
    return this.#passed !== undefined;
  }

  /** A run stands between two states that a crash could leave behind (./effects.ts). */
  async boundary(name: string): Promise<void> {
    if (this.#passed === undefined || !this.#abort) return;
    await this.#flush(); // what is written by now is what a crash leaves
    this.#passed.push(name);
    if (name === this.#deadly) this.#strike(this.#abort, `boundary ${name}`);
  }

  at(point: FaultPoint): void {
    const visit = this.#armed.get(point);
    if (visit === undefined || !this.#abort) return;
    if (visit > 1) {
      this.#armed.set(point, visit - 1);
      return;
    }
    this.#armed.delete(point);
    struck.add(point);
    this.#strike(this.#abort, `fault point ${point}`);
  }

  #strike(abort: (reason: string) => void, reason: string): never {
    abort(reason);
    throw new Error(reason);
  }
}
