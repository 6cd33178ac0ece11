/**
 * What of an agent's accepted work may begin now (F93, F95).
 *
 * N1  While the agent is paused nothing begins; what runs goes on to its end.
 * N2  While the upstream of an `http` agent is down nothing is begun for it.
 * N3  What was kept is begun one by one, in the order in which it was accepted, and what comes in
 *     the meantime takes its place behind it.
 *
 * An agent that is neither is asked one question: is it?
 */
import { dueInvocations } from "../claim.ts";
import type { Kernel } from "../kernel.ts";
import type { Installed, Releases } from "../releases.ts";
import type { Health } from "./health.ts";

export class Intake {
  readonly #releases: Releases;
  readonly #health: Health;
  #draining = false;
  #lastMs = 0;

  constructor(releases: Releases, health: Health) {
    this.#releases = releases;
    this.#health = health;
  }

  /**
   * When a call is accepted. What may be kept is put in order by it, so that no two of an `http`
   * agent have the same: their ids tell nothing within one millisecond.
   */
  moment(installed: Installed, nowMs: number): number {
    if (installed.kind === "llm") return nowMs;
    this.#lastMs = Math.max(nowMs, this.#lastMs + 1);
    return this.#lastMs;
  }

  /** May what is accepted now start in place? */
  starts(installed: Installed): boolean {
    if (installed.release.paused === true) return false;
    return installed.kind === "llm" || (!this.#health.down && !this.#draining);
  }

  /** Nothing that is due would be begun: no reason to wake for it. */
  get shut(): boolean {
    const live = this.#releases.live(0);
    if (live === undefined) return false;
    return live.release.paused === true || (live.kind === "http" && this.#health.down);
  }

  /** There may be more of what was kept as soon as this one has ended. */
  get draining(): boolean {
    return this.#draining;
  }

  /** What was kept may go, in its order (N3). */
  drain(): void {
    this.#draining = this.#releases.live(0)?.kind === "http";
  }

  /** Ids of what may begin now, oldest first. */
  due(kernel: Kernel, nowMs: number, places: number): readonly string[] {
    if (places <= 0) return [];
    const live = this.#releases.live(0);
    if (live?.release.paused === true) return [];
    if (live?.kind !== "http") return dueInvocations(kernel, nowMs, places);
    if (this.#health.down) return keptTooLong(kernel, nowMs - live.spec.upstream.keep_ms, places);
    if (!this.#draining) return inOrder(kernel, nowMs, places);
    if (kernel.running.size > 0) return [];
    const next = inOrder(kernel, nowMs, 1);
    if (next.length === 0) this.#draining = false;
    return next;
  }
}

function inOrder(kernel: Kernel, nowMs: number, limit: number): readonly string[] {
  return kernel.sql
    .all<{ id: string }>(
      `SELECT id FROM invocation WHERE pending = 1 AND status IN ('accepted', 'waiting')
         AND due_ms <= ? ORDER BY created_ms LIMIT ?`,
      nowMs,
      limit,
    )
    .map(({ id }) => id);
}

/** They are taken up to be told so (./forward.ts). */
function keptTooLong(kernel: Kernel, beforeMs: number, limit: number): readonly string[] {
  return kernel.sql
    .all<{ id: string }>(
      `SELECT id FROM invocation WHERE pending = 1 AND status IN ('accepted', 'waiting')
         AND created_ms < ? ORDER BY created_ms LIMIT ?`,
      beforeMs,
      limit,
    )
    .map(({ id }) => id);
}
