/**
 * What has had its time goes, a bounded piece at a time, by the object's alarm (F103).
 *
 * V1  Nothing goes before the control plane has acknowledged its end (DECISIONS 22): `pending` is
 *     null then, and never before.
 * V2  A key means its invocation longer than the invocation has content: the row of one that was made
 *     with a key stays for a week, and says that it is erased (DECISIONS 16, 31).
 * V3  Each stage walks the rows in the order they were made, from where it stood. One that is not ready
 *     yet, an hour after those around it, is put aside and looked at apart: a run that waits for weeks
 *     holds up nothing.
 * V4  Doing a piece twice changes nothing: where a stage stands is written behind the piece.
 */
import { type Retention, STUB_MS } from "../../core/content/contract.ts";
import type { Kernel } from "./kernel.ts";
import type { Meta } from "./meta.ts";
import {
  type Doomed,
  eraseContent,
  eraseEmptySessions,
  eraseEvents,
  eraseJournals,
  eraseRows,
} from "./erasing.ts";

/** Invocations of one stage in one piece. */
const PIECE = 256;
/** How long a row that is not ready holds up those behind it. */
const PATIENCE_MS = 3_600_000;
/** Between two looks at what is not ready yet. */
const LOOK_MS = 5000;
/** Between two looks at what was put aside. */
const ASIDE_LOOK_MS = 600_000;

const STAGES = ["events", "journals", "content", "rows"] as const;
type Stage = (typeof STAGES)[number];

type Walked = Doomed & {
  readonly created_ms: number;
  readonly completed_ms: number | null;
  readonly pending: number | null;
};

export class Retained {
  readonly #kernel: Pick<Kernel, "sql" | "releases" | "now">;
  readonly #meta: Meta;
  readonly #speaking: () => ReadonlySet<string>;
  /** Where each stage stands, by the id of the last invocation it has come past. */
  #places: Partial<Record<Stage, string>> | undefined;
  /** Not before this is anything looked at again. */
  #nextMs = 0;
  #asideMs = 0;
  #silentFrom = "";

  /** @param speaking  Sessions that somebody is connected to: they stay. */
  constructor(
    kernel: Pick<Kernel, "sql" | "releases" | "now">,
    meta: Meta,
    speaking: () => ReadonlySet<string>,
  ) {
    this.#kernel = kernel;
    this.#meta = meta;
    this.#speaking = speaking;
  }

  /** When something has had its time; undefined while nothing ever will. */
  dueMs(nowMs: number): number | undefined {
    const stages = this.#stages();
    if (stages.length === 0) return undefined;
    const times = stages.flatMap(([stage, afterMs]) => {
      const next = this.#walk(stage, 1)[0];
      return next === undefined ? [] : [(next.completed_ms ?? next.created_ms) + afterMs];
    });
    if (this.#anyAside()) times.push(this.#asideMs);
    return times.length === 0 ? undefined : Math.max(Math.min(...times), this.#nextMs, nowMs);
  }

  /**
   * Some of what is due; what is left is due at once.
   *
   * @param acknowledged  Something has just become ready: what was looked at a moment ago is looked
   *                      at again.
   */
  work(nowMs: number, acknowledged = false): void {
    if (nowMs < this.#nextMs && !acknowledged) return;
    let more = false;
    for (const [stage, afterMs] of this.#stages()) {
      more = this.#advance(stage, nowMs - afterMs, nowMs) || more;
    }
    if (nowMs >= this.#asideMs) {
      for (const [stage, afterMs] of this.#stages()) {
        this.#lookAside(stage, nowMs - afterMs);
        if (stage === "rows") this.#sweepSilent(nowMs - afterMs);
      }
      this.#asideMs = nowMs + ASIDE_LOOK_MS;
    }
    this.#nextMs = more ? nowMs : nowMs + LOOK_MS;
  }

  /** The object was emptied, or filled anew. */
  forget(): void {
    this.#places = undefined;
    this.#nextMs = 0;
    this.#asideMs = 0;
  }

  /** What the tenant wants, least first: a class that outlives the request goes with it. */
  #stages(): readonly (readonly [Stage, number])[] {
    const retention = this.#kernel.releases.live(0)?.release.content?.retention;
    return retention === undefined ? [] : stagesOf(retention);
  }

  /** @returns  whether there may be more of it now */
  #advance(stage: Stage, beforeMs: number, nowMs: number): boolean {
    const rows = this.#walk(stage, PIECE);
    const ready: Walked[] = [];
    const aside: Walked[] = [];
    let last: string | undefined;
    for (const row of rows) {
      if (isReady(row, beforeMs, nowMs)) ready.push(row);
      else if (row.created_ms <= beforeMs - PATIENCE_MS) aside.push(row); // V3
      else break;
      last = row.id;
    }
    if (last === undefined) return false;
    const { sql } = this.#kernel;
    sql.transaction(() => {
      this.#erase(stage, ready);
      for (const { id } of aside)
        sql.run("INSERT OR IGNORE INTO put_aside VALUES (?, ?)", stage, id);
    });
    this.#places = { ...this.#standing(), [stage]: last };
    this.#meta.set("retained", JSON.stringify(this.#places)); // V4
    return rows.length === PIECE && last === rows.at(-1)?.id;
  }

  #lookAside(stage: Stage, beforeMs: number): void {
    const { sql } = this.#kernel;
    const rows = sql.all<Walked>(
      `SELECT ${WALKED} FROM invocation WHERE id IN
         (SELECT invocation_id FROM put_aside WHERE stage = ?) ORDER BY completed_ms LIMIT ?`,
      stage,
      PIECE,
    );
    const ready = rows.filter((row) => isReady(row, beforeMs, this.#kernel.now()));
    sql.transaction(() => {
      this.#erase(stage, ready);
      for (const { id } of ready) {
        sql.run("DELETE FROM put_aside WHERE stage = ? AND invocation_id = ?", stage, id);
      }
      sql.run("DELETE FROM put_aside WHERE invocation_id NOT IN (SELECT id FROM invocation)");
    });
  }

  #erase(stage: Stage, rows: readonly Doomed[]): void {
    if (rows.length === 0) return;
    const { sql } = this.#kernel;
    if (stage === "events") eraseEvents(sql, rows);
    else if (stage === "journals") eraseJournals(sql, rows);
    else if (stage === "content") eraseContent(sql, rows, this.#speaking());
    else eraseRows(sql, rows, this.#speaking());
  }

  /** Sessions in which nobody ever said anything, some of them. */
  #sweepSilent(beforeMs: number): void {
    const { sql } = this.#kernel;
    const rows = sql.all<{ id: string; created_ms: number }>(
      "SELECT id, created_ms FROM session WHERE id > ? ORDER BY id LIMIT ?",
      this.#silentFrom,
      PIECE,
    );
    const old = rows.filter((row) => row.created_ms <= beforeMs).map(({ id }) => id);
    eraseEmptySessions(sql, [...new Set(old).difference(this.#speaking())]);
    this.#silentFrom = rows.length < PIECE ? "" : (rows.at(-1)?.id ?? "");
  }

  #walk(stage: Stage, limit: number): Walked[] {
    return this.#kernel.sql.all<Walked>(
      `SELECT ${WALKED} FROM invocation WHERE id > ? ORDER BY id LIMIT ?`,
      this.#standing()[stage] ?? "",
      limit,
    );
  }

  #anyAside(): boolean {
    return this.#kernel.sql.one("SELECT 1 FROM put_aside LIMIT 1") !== undefined;
  }

  #standing(): Partial<Record<Stage, string>> {
    this.#places ??= JSON.parse(this.#meta.get("retained") ?? "{}") as Partial<
      Record<Stage, string>
    >; // our own
    return this.#places;
  }
}

const WALKED = "id, session_id, idem, erased, created_ms, completed_ms, pending, tat_us";

function stagesOf({ requestsMs, eventsMs, journalsMs }: Retention): (readonly [Stage, number])[] {
  const outlives = (ms: number): boolean => requestsMs !== null && ms >= requestsMs;
  return [
    ...(eventsMs === null || outlives(eventsMs) ? [] : [["events", eventsMs] as const]),
    ...(journalsMs === null || outlives(journalsMs) ? [] : [["journals", journalsMs] as const]),
    ...(requestsMs === null ? [] : [["content", requestsMs] as const]),
    ...(requestsMs === null ? [] : [["rows", requestsMs + STUB_MS] as const]),
  ];
}

/** V1, and nothing that still says when the agent's limit lets the next request in. */
function isReady(
  { completed_ms, pending, tat_us }: Walked,
  beforeMs: number,
  nowMs: number,
): boolean {
  if (completed_ms === null || pending !== null || completed_ms > beforeMs) return false;
  return tat_us === null || tat_us <= nowMs * 1000;
}
