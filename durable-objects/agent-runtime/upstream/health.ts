/**
 * Whether an agent's upstream is there (F101, F174, F207).
 *
 * L1  The check runs by the object's alarm, at `interval_ms` while the agent is installed; so many
 *     failures in a row as the spec says, and the upstream is down.
 * L2  Down is written down: it outlives the object. Nothing is written while all is well.
 * L3  One good check ends it, and whoever listens takes up what was kept.
 */
import type { Clock } from "../../../core/clock.ts";
import { rfc3339 } from "../../../core/clock.ts";
import type { UpstreamHealth } from "../../../core/upstreams/contract.ts";
import type { Deadlines } from "../deadlines.ts";
import type { Meta } from "../meta.ts";
import type { HttpInstalled, Releases } from "../releases.ts";

/** An answer this recent says that the upstream is there. */
const FRESH_MS = 10_000;
/** How long an upstream without a health check may take to show that it is there. */
const GLANCE_MS = 5000;

/** What is written down. */
type Known = { readonly failures: number; readonly sinceMs: number | null };
const WELL: Known = { failures: 0, sinceMs: null };

export type HealthPorts = {
  readonly meta: Meta;
  readonly releases: Releases;
  readonly deadlines: Deadlines;
  readonly now: Clock;
  /** A check is over: the alarm may have to come at another time. */
  readonly checked: () => void;
  /** The upstream is there again. */
  readonly recovered: (name: string) => void;
};

export class Health {
  readonly #ports: HealthPorts;
  #known: Known | undefined;
  #checkedMs: number | undefined;
  #answeredMs = Number.NEGATIVE_INFINITY;
  #dueMs: number | undefined;
  #checking = false;

  constructor(ports: HealthPorts) {
    this.#ports = ports;
  }

  get down(): boolean {
    return this.#state.sinceMs !== null;
  }

  /** When the next check is due; undefined where none is made. */
  nextMs(nowMs: number): number | undefined {
    if (this.#subject()?.spec.upstream.health === undefined) return undefined;
    return this.#dueMs ?? nowMs;
  }

  /** For the alarm: begins a check that is due and does not wait for it (L1). */
  tick(nowMs: number): void {
    const subject = this.#subject();
    const dueMs = this.nextMs(nowMs);
    if (subject === undefined || dueMs === undefined || dueMs > nowMs || this.#checking) return;
    this.#checking = true;
    void this.check(subject).finally(() => {
      this.#checking = false;
      this.#ports.checked();
    });
  }

  /** One check, and what follows from it. */
  async check(installed: HttpInstalled): Promise<boolean> {
    const { now } = this.#ports;
    const { health } = installed.spec.upstream;
    this.#dueMs = health === undefined ? undefined : now() + health.interval_ms;
    const there = await this.#asked(installed);
    if (this.#subject() === undefined) return there; // erased meanwhile: nothing is left of it
    this.#checkedMs = now();
    if (there) this.#up(installed.upstream.name);
    else if (health !== undefined) this.#failed(health.failures);
    return there;
  }

  /** Is it known, or else found by asking, that something is there? Changes nothing if not. */
  async reachable(installed: HttpInstalled): Promise<boolean> {
    if (this.#ports.now() - this.#answeredMs < FRESH_MS) return true;
    return this.#asked(installed);
  }

  /** A call was answered. */
  answered(): void {
    this.#answeredMs = this.#ports.now();
  }

  /** Nothing is known any more: a restart. */
  forget(): void {
    this.#set(WELL);
    this.#dueMs = undefined;
    this.#answeredMs = Number.NEGATIVE_INFINITY;
  }

  /** The rows behind what is kept here are gone, or others. */
  begin(): void {
    this.#known = undefined;
  }

  report(breakerOpen: boolean): UpstreamHealth {
    const { failures, sinceMs } = this.#state;
    const healthy = this.#checkedMs === undefined ? "unknown" : "healthy";
    return {
      status: sinceMs === null ? healthy : "down",
      failures,
      checked_at: this.#checkedMs === undefined ? null : rfc3339(this.#checkedMs),
      since: sinceMs === null ? null : rfc3339(sinceMs),
      breaker_open: breakerOpen,
    };
  }

  /** The agent as it was installed last: one that nobody has called yet is watched too. */
  #subject(): HttpInstalled | undefined {
    const installed = this.#ports.releases.newest();
    return installed?.kind === "http" ? installed : undefined;
  }

  async #asked({ spec, upstream }: HttpInstalled): Promise<boolean> {
    const stop = new AbortController();
    const timeoutMs = spec.upstream.health?.timeout_ms ?? GLANCE_MS;
    const inTime = this.#ports.deadlines.after(timeoutMs, () => stop.abort(new Error("too slow")));
    try {
      const there = await upstream.reachable(stop.signal);
      if (there) this.answered();
      return there;
    } finally {
      inTime();
    }
  }

  #up(name: string): void {
    const wasDown = this.down;
    if (this.#state.failures > 0) this.#set(WELL);
    if (wasDown) this.#ports.recovered(name);
  }

  #failed(most: number): void {
    const { failures, sinceMs } = this.#state;
    const falls = sinceMs === null && failures + 1 >= most;
    if (sinceMs !== null) return; // L2: written once
    this.#set({ failures: failures + 1, sinceMs: falls ? this.#ports.now() : null });
  }

  get #state(): Known {
    if (this.#known !== undefined) return this.#known;
    const text = this.#ports.meta.get("upstream");
    // Written by `#set` and by nothing else.
    this.#known = text === undefined ? WELL : (JSON.parse(text) as Known);
    return this.#known;
  }

  #set(known: Known): void {
    this.#known = known;
    if (known.failures === 0) this.#ports.meta.unset("upstream");
    else this.#ports.meta.set("upstream", JSON.stringify(known));
  }
}
