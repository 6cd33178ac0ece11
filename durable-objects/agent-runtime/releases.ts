import type { HttpSpec, LlmSpec } from "../../core/agents/spec.ts";
import type { Release } from "../../core/deployments/release.ts";
import type { MemorySpec } from "../../core/memories/contract.ts";
import type { Embedder } from "../../core/models/embedder.ts";
import type { Model, Price } from "../../core/models/contract.ts";
import type { Refusal } from "../../core/problem.ts";
import type { Tool, ToolOffer } from "../../core/tools/contract.ts";
import type { Upstream } from "../../core/upstreams/contract.ts";
import type { Meta } from "./meta.ts";
import type { Sql } from "./sql.ts";

type Ready = {
  readonly release: Release;
  /** Would it run? What it names is there and every key opens. */
  check(): { readonly ok: true } | Refusal;
};

/** A release of an `llm` agent made ready to run: parsed once, its models and tools built when first used. */
export type LlmInstalled = Ready & {
  readonly kind: "llm";
  readonly spec: LlmSpec;
  readonly offers: readonly ToolOffer[];
  /** Instructions, and knowledge for models that do not search it themselves. */
  system(ref: string): string;
  model(ref: string): Model;
  tool(name: string): Tool | undefined;
  price(ref: string): Price | undefined;
  /** Absent for an agent that has no memory. */
  readonly memory?: InstalledMemory;
};

export type InstalledMemory = { readonly spec: MemorySpec; readonly embedder: Embedder };

/** The same of an agent whose runtime is an endpoint. */
export type HttpInstalled = Ready & {
  readonly kind: "http";
  readonly spec: HttpSpec;
  readonly upstream: Upstream;
};

export type Installed = LlmInstalled | HttpInstalled;

/** Releases that were never live, kept whether or not something open needs them. */
const ASIDE_KEPT = 64;

/** Releases by generation: the newest is live for new invocations, older ones finish theirs. */
export class Releases {
  readonly #sql: Sql;
  readonly #meta: Meta;
  readonly #ready: (release: Release) => Installed;
  readonly #cache = new Map<number, Installed>();
  #live: number | undefined;

  constructor(sql: Sql, meta: Meta, ready: (release: Release) => Installed) {
    this.#sql = sql;
    this.#meta = meta;
    this.#ready = ready;
  }

  get(generation: number): Installed | undefined {
    const known = this.#cache.get(generation);
    if (known) return known;
    const row = this.#sql.one<{ body: string }>(
      "SELECT body FROM release WHERE generation = ?",
      generation,
    );
    if (!row) return undefined;
    const installed = this.#ready(JSON.parse(row.body) as Release);
    this.#cache.set(generation, installed);
    return installed;
  }

  /**
   * What a new invocation runs. The edge's word may be some seconds old, so the highest generation
   * that was ever called live wins over a stale caller's.
   */
  live(generation: number): Installed | undefined {
    const wanted = Math.max(generation, this.#lastLive());
    const installed = this.get(wanted);
    if (installed && wanted !== this.#live) this.#remember(wanted);
    return installed;
  }

  /** What is live, or else what was installed last and is about to be. */
  newest(): Installed | undefined {
    const live = this.live(0);
    if (live !== undefined) return live;
    const row = this.#sql.one<{ generation: number | null }>(
      "SELECT max(generation) AS generation FROM release",
    );
    return typeof row?.generation === "number" ? this.get(row.generation) : undefined;
  }

  /** Store without making live; the same generation again replaces a body nothing ran yet. */
  put(release: Release): void {
    this.#sql.run(
      "INSERT INTO release VALUES (?, ?) ON CONFLICT (generation) DO UPDATE SET body = excluded.body",
      release.generation,
      JSON.stringify(release),
    );
    this.#cache.delete(release.generation);
  }

  /** Made ready and kept nowhere. */
  prepare(release: Release): Installed {
    return this.#ready(release);
  }

  /**
   * Store one that is never live: what a fork or a resumed run goes by. Numbered downwards from -1,
   * each number once; of those that nothing open needs, the older are dropped.
   */
  putAside(release: Release): Installed {
    const generation = Number(this.#meta.get("aside") ?? 0) - 1;
    this.#meta.set("aside", String(generation));
    this.#sql.run(
      `DELETE FROM release WHERE generation < 0 AND generation > ? AND generation NOT IN
         (SELECT generation FROM invocation WHERE pending = 1)`,
      generation + ASIDE_KEPT,
    );
    this.put({ ...release, generation });
    for (const known of this.#cache.keys()) {
      if (known < 0 && known > generation + ASIDE_KEPT) this.#cache.delete(known);
    }
    return this.#ready({ ...release, generation });
  }

  /** The rows behind what is kept here are gone, or others. */
  forget(): void {
    this.#cache.clear();
    this.#live = undefined;
  }

  #lastLive(): number {
    this.#live ??= Number(this.#meta.get("live") ?? 0);
    return this.#live;
  }

  /** A new generation is live: forget older releases that no open invocation needs. */
  #remember(generation: number): void {
    this.#live = generation;
    this.#meta.set("live", String(generation));
    this.#sql.run(
      `DELETE FROM release WHERE generation < ? AND generation NOT IN
         (SELECT generation FROM invocation WHERE pending = 1)`,
      generation - 5,
    );
    for (const known of this.#cache.keys()) if (known < generation - 5) this.#cache.delete(known);
  }
}
