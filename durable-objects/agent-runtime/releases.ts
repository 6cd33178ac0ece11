import type { HttpSpec, LlmSpec } from "../../core/agents/spec.ts";
import type { Release } from "../../core/deployments/release.ts";
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
};

/** The same of an agent whose runtime is an endpoint. */
export type HttpInstalled = Ready & {
  readonly kind: "http";
  readonly spec: HttpSpec;
  readonly upstream: Upstream;
};

export type Installed = LlmInstalled | HttpInstalled;

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

  /** Store without making live; the same generation again replaces a body nothing ran yet. */
  put(release: Release): void {
    this.#sql.run(
      "INSERT INTO release VALUES (?, ?) ON CONFLICT (generation) DO UPDATE SET body = excluded.body",
      release.generation,
      JSON.stringify(release),
    );
    this.#cache.delete(release.generation);
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
