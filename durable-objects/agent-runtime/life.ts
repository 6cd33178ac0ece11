/**
 * An object's rests, moves and end: what export, import and erasure ask of it.
 *
 * Z1  What is exported rests: two exports of it are the same rows.
 * Z2  Erased is for good: the tombstone lets no late message or call make the object anybody's
 *     again; only an import, which an operator asks for, fills it anew.
 */
import { type ProblemData, refuse, type Refusal } from "../../core/problem.ts";
import { CLOSE } from "../../core/sessions/frames.ts";
import { isReadable } from "./arriving.ts";
import type { Acknowledged, ObjectCursor, ObjectPage, ObjectRow, Owner } from "./contract.ts";
import type { Ownership } from "./installation.ts";
import type { InvocationRow } from "./invocations.ts";
import type { Kernel } from "./kernel.ts";
import { TEXT_INDEX_TABLES } from "./memory/index-text.ts";
import type { Meta } from "./meta.ts";
import { Rest } from "./rest.ts";
import type { Runner } from "./runner.ts";
import { cancelRow } from "./settle.ts";
import { close } from "./sockets.ts";
import { migrate } from "./tables.ts";
import { exportRows, importRows } from "./transfer.ts";

/** Made where it arrives: what the object is (`meta`), and what it runs, keys included (`release`). */
const LEFT_BEHIND = ["meta", "release", ...TEXT_INDEX_TABLES];

/** Longer than any queue keeps a message (14 days at most). */
const TOMBSTONE_MS = 30 * 86_400_000;

export const AT_REST: ProblemData = { code: "suspended", detail: "ask the platform's operator" };

export class Life {
  readonly #ctx: DurableObjectState;
  readonly #kernel: Kernel;
  readonly #meta: Meta;
  readonly #ownership: Ownership;
  readonly #rest: Rest;

  constructor(
    ctx: DurableObjectState,
    env: Env,
    kernel: Kernel,
    meta: Meta,
    ownership: Ownership,
    runner: Runner,
  ) {
    this.#ctx = ctx;
    this.#kernel = kernel;
    this.#meta = meta;
    this.#ownership = ownership;
    this.#rest = new Rest(kernel, meta, runner, env);
  }

  get resting(): boolean {
    return this.#rest.resting;
  }

  get erased(): boolean {
    return this.#meta.get("erased") !== undefined;
  }

  /** False while it must stay at rest. */
  async awake(owner: Owner): Promise<boolean> {
    return !this.resting || (this.#ownership.holds(owner) && (await this.#rest.end(owner)));
  }

  rest(owner: Owner, open?: "cancel"): Acknowledged | Refusal {
    if (!this.#ownership.owner) return { ok: true }; // nothing was ever installed
    if (!this.#ownership.holds(owner)) return refuse("not_found", "no such agent");
    this.#rest.begin();
    if (open === "cancel") this.#cancelOpen();
    return { ok: true };
  }

  exportPage(owner: Owner, cursor: ObjectCursor | undefined): ObjectPage | Refusal {
    if (!this.#ownership.owner) return { ok: true, rows: [] };
    if (!this.#ownership.holds(owner)) return refuse("not_found", "no such agent");
    if (!this.resting) return refuse("conflict", "the agent is at work"); // Z1
    return exportRows(this.#kernel.sql, LEFT_BEHIND, cursor);
  }

  importPage(owner: Owner, transfer: string, rows: readonly ObjectRow[]): Acknowledged | Refusal {
    if (!this.#ownership.owner) {
      this.#meta.unset("erased");
      this.#ownership.settle(owner);
      this.#meta.set("arrived", transfer);
      this.#rest.begin();
    }
    const mine = this.#ownership.holds(owner) && this.#meta.get("arrived") === transfer;
    return mine
      ? importRows(this.#kernel.sql, LEFT_BEHIND, rows, isReadable)
      : refuse("conflict", "the agent is there");
  }

  async erase(owner: Owner): Promise<Acknowledged | Refusal> {
    const { owner: mine } = this.#ownership;
    if (mine && !this.#ownership.holds(owner)) return refuse("not_found", "no such agent");
    this.#rest.emptied();
    for (const socket of this.#ctx.getWebSockets()) close(socket, CLOSE.gone, "it was erased");
    await this.#empty();
    this.#meta.set("erased", String(Date.now())); // Z2
    await this.#ctx.storage.setAlarm(Date.now() + TOMBSTONE_MS);
    return { ok: true };
  }

  /** For the alarm: the tombstone goes when it has had its time, not for an alarm from before. */
  async forget(): Promise<void> {
    const atMs = Number(this.#meta.get("erased"));
    if (Date.now() < atMs + TOMBSTONE_MS) await this.#ctx.storage.setAlarm(atMs + TOMBSTONE_MS);
    else await this.#ctx.storage.deleteAll();
  }

  #cancelOpen(): void {
    const kernel = this.#kernel;
    const nowMs = Date.now();
    const ended = kernel.sql.transaction(() =>
      kernel.sql
        .all<InvocationRow>("SELECT * FROM invocation WHERE completed_ms IS NULL")
        .map((row) => cancelRow(kernel, row, nowMs)),
    );
    for (const row of ended) kernel.feed.ended(row.id, row);
    kernel.open.count = 0;
  }

  /** The file goes, not only its rows: deleted rows would stay readable in free pages. */
  async #empty(): Promise<void> {
    await this.#ctx.storage.deleteAlarm();
    await this.#ctx.storage.deleteAll();
    this.#ownership.end();
    this.#meta.begin();
    migrate(this.#kernel.sql, this.#meta);
    this.#kernel.releases.forget();
    this.#kernel.health.begin();
    this.#kernel.retained.forget();
    this.#kernel.open.count = 0;
  }
}
