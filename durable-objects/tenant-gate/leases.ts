/**
 * Who holds how much of what.
 *
 * B1  What is out, given and not returned, is never more than the cap, but for what holders used
 *     beyond their part: an estimate that was too low. That counts, and nothing more is given.
 * B2  Counts of a period end with it. Nothing else ends by a clock: what a holder has it keeps
 *     until it says that it does not need it, or is gone.
 * B3  Looking and giving are one transaction; between them nothing is awaited.
 */
import type {
  Account,
  AllowanceUse,
  Asked,
  Grant,
  LeaseName,
  Resized,
  Want,
} from "./contract-leases.ts";

/** Beyond what it needs a holder is given this part of what is left, and near the cap nothing. */
const AHEAD = 16;
/** A holder that does not answer in this time is not waited for. */
const ANSWER_MS = 1000;
const SWEEP_MS = 60_000;
/** How long money's periods can be looked at after their end. */
const KEPT_MS = 400 * 86_400_000;

/** Ask a holder; `gone` when there is no such object any more, undefined when it does not answer. */
export type AskHolder = (
  holder: string,
  asked: readonly Asked[],
  give: boolean,
) => Promise<readonly Account[] | "gone" | undefined>;

type Row = {
  readonly id: string;
  readonly since_ms: number;
  readonly rule: string;
  readonly kind: Want["kind"];
  readonly cap: number;
  readonly revision: number;
  readonly ends_ms: number | null;
  readonly warn: string;
  readonly used: number;
  readonly out: number;
};

export class LeaseBook {
  readonly #storage: DurableObjectStorage;
  readonly #ask: AskHolder;
  #sweptMs = 0;

  constructor(storage: DurableObjectStorage, ask: AskHolder) {
    this.#storage = storage;
    this.#ask = ask;
  }

  async lease(holder: string, wants: readonly Want[], nowMs: number): Promise<readonly Grant[]> {
    this.#sweep(nowMs);
    const lacking = this.#storage.transactionSync(() => {
      for (const want of wants) this.#settle(holder, want, nowMs);
      return wants.filter((want) => this.#free(want) < want.need);
    });
    if (lacking.length > 0) await this.#recall(lacking, holder, nowMs);
    return this.#storage.transactionSync(() => wants.map((want) => this.#give(holder, want))); // B3
  }

  report(holder: string, accounts: readonly Account[], nowMs: number): void {
    this.#storage.transactionSync(() => {
      for (const account of accounts) this.#learn(holder, account, nowMs);
    });
  }

  async resize({ rule, revision, cap, warnAtPct }: Resized, nowMs: number): Promise<void> {
    const rows = this.#storage.transactionSync(() => {
      if (cap !== null) {
        this.#run(
          "UPDATE allowance SET cap = ?, warn = ?, revision = ? WHERE rule = ? AND revision < ?",
          cap,
          JSON.stringify(warnAtPct),
          revision,
          rule,
          revision,
        );
        return this.#all<Row>("SELECT * FROM allowance WHERE rule = ?", rule);
      }
      for (const table of ["lease", "warning"]) {
        this.#run(
          `DELETE FROM ${table} WHERE (id, since_ms) IN
             (SELECT id, since_ms FROM allowance WHERE rule = ?)`,
          rule,
        );
      }
      this.#run("DELETE FROM allowance WHERE rule = ?", rule);
      return [];
    });
    // What was given ahead under the old cap is more than the new one may allow.
    const names = rows.map(nameOf);
    if (names.length > 0) await this.#recall(names, "", nowMs);
  }

  async used(
    rule: string,
    { subject, limit }: { readonly subject?: string; readonly limit: number },
    nowMs: number,
  ): Promise<readonly AllowanceUse[]> {
    const select = (): Row[] =>
      this.#all<Row>(
        `SELECT * FROM allowance WHERE rule = ?1 AND (?2 IS NULL OR id = ?1 || '/' || ?2)
         ORDER BY since_ms DESC, used DESC, id LIMIT ?3`,
        rule,
        subject ?? null,
        limit,
      );
    await this.#recall(select().map(nameOf), "", nowMs, false);
    return select().map((row) => this.#shown(row));
  }

  /** Warnings that are not in the trail yet. */
  untold(): readonly Warning[] {
    return this.#all<Warning>(
      "SELECT id, since_ms, pct, used, cap, rule FROM warning WHERE told = 0 LIMIT 20",
    );
  }

  told(warning: Warning): void {
    this.#tell(warning, 1);
  }

  untell(warning: Warning): void {
    this.#tell(warning, 0);
  }

  #tell({ id, since_ms, pct }: Warning, told: 0 | 1): void {
    this.#run(
      "UPDATE warning SET told = ? WHERE id = ? AND since_ms = ? AND pct = ?",
      told,
      id,
      since_ms,
      pct,
    );
  }

  /** The allowance as the newest rule has it, and the holder's part of it. */
  #settle(holder: string, want: Want, nowMs: number): void {
    const { id, sinceMs, rule, kind, cap, revision, endsMs } = want;
    this.#run(
      `INSERT INTO allowance VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0) ON CONFLICT DO UPDATE SET
         cap = excluded.cap, warn = excluded.warn, revision = excluded.revision
       WHERE excluded.revision > revision`,
      id,
      sinceMs,
      rule,
      kind,
      cap,
      revision,
      endsMs,
      JSON.stringify(want.warnAtPct),
    );
    this.#run("INSERT OR IGNORE INTO lease VALUES (?, ?, ?, 0, 0, 0, 0)", id, sinceMs, holder);
    this.#learn(holder, want, nowMs);
  }

  /** A holder's account, where it says more than what is known. */
  #learn(holder: string, account: Account, nowMs: number): void {
    const { id, sinceMs, held } = account;
    const known = this.#lease(holder, account);
    if (known === undefined) return; // of a rule that is no more
    const returned = Math.max(known.returned, account.returned);
    const used = Math.max(known.used, account.used);
    const granted = Math.max(known.granted, returned + used + held); // B1
    const out = granted - returned - (known.granted - known.returned);
    this.#run(
      `UPDATE lease SET granted = ?, returned = ?, used = ?, held = ?
       WHERE id = ? AND since_ms = ? AND holder = ?`,
      granted,
      returned,
      used,
      held,
      id,
      sinceMs,
      holder,
    );
    if (out === 0 && used === known.used) return;
    this.#run(
      "UPDATE allowance SET used = used + ?, out = out + ? WHERE id = ? AND since_ms = ?",
      used - known.used,
      out,
      id,
      sinceMs,
    );
    this.#warn(account, nowMs);
  }

  #give(holder: string, want: Want): Grant {
    const { id, sinceMs, need } = want;
    const free = this.#free(want);
    const ahead = free > need ? Math.floor((free - need) / AHEAD) : 0;
    const given = Math.max(0, Math.min(free, need + ahead));
    if (given > 0) {
      const at = [given, id, sinceMs] as const;
      this.#run(
        "UPDATE lease SET granted = granted + ? WHERE id = ? AND since_ms = ? AND holder = ?",
        ...at,
        holder,
      );
      this.#run("UPDATE allowance SET out = out + ? WHERE id = ? AND since_ms = ?", ...at);
    }
    const granted = this.#lease(holder, want)?.granted ?? 0;
    return { id, sinceMs, granted, short: given < need, left: Math.max(0, free - given) };
  }

  /** Ask the other holders what they do not need, and take it back unless only to look. */
  async #recall(
    names: readonly LeaseName[],
    except: string,
    nowMs: number,
    give = true,
  ): Promise<void> {
    const held = names.flatMap(({ id, sinceMs }) =>
      this.#all<{ holder: string; granted: number }>(
        `SELECT holder, granted FROM lease
         WHERE id = ? AND since_ms = ? AND holder <> ? AND granted - returned - used > 0`,
        id,
        sinceMs,
        except,
      ).map(({ holder, granted }) => ({ holder, asked: { id, sinceMs, granted } })),
    );
    const holders = [...Map.groupBy(held, ({ holder }) => holder)];
    await Promise.all(
      holders.map(async ([holder, its]) => {
        const asked = its.map((it) => it.asked);
        const answer = await within(ANSWER_MS, this.#ask(holder, asked, give));
        if (answer === "gone") this.#forfeit(holder, asked, nowMs);
        else if (answer !== undefined) this.report(holder, answer, nowMs);
      }),
    );
  }

  /** Of a holder that is no more: places come back, what may have been spent does not. */
  #forfeit(holder: string, asked: readonly Asked[], nowMs: number): void {
    this.#storage.transactionSync(() => {
      for (const name of asked) {
        const lease = this.#lease(holder, name);
        const places = this.#one(name)?.kind === "concurrency";
        if (lease === undefined) continue;
        const rest = lease.granted - (places ? lease.used : lease.returned);
        const gone = places ? { ...lease, returned: rest } : { ...lease, used: rest };
        this.#learn(holder, { ...name, ...gone, held: 0 }, nowMs);
      }
    });
  }

  #warn(name: LeaseName, nowMs: number): void {
    const row = this.#one(name);
    if (row === undefined || row.used === 0) return;
    for (const pct of JSON.parse(row.warn) as number[]) {
      if (row.used * 100 < row.cap * pct) continue;
      this.#run(
        "INSERT OR IGNORE INTO warning VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
        row.id,
        row.since_ms,
        pct,
        nowMs,
        row.used,
        row.cap,
        row.rule,
      );
    }
  }

  #shown(row: Row): AllowanceUse {
    const at = [row.id, row.since_ms] as const;
    const [sum] = this.#all<{ held: number | null }>(
      "SELECT sum(held) AS held FROM lease WHERE id = ? AND since_ms = ?",
      ...at,
    );
    const warnings = this.#all<{ pct: number; at_ms: number }>(
      "SELECT pct, at_ms FROM warning WHERE id = ? AND since_ms = ? ORDER BY pct",
      ...at,
    ).map(({ pct, at_ms }) => ({ pct, atMs: at_ms }));
    const { cap, used, ends_ms: endsMs } = row;
    return { ...nameOf(row), endsMs, cap, used, held: sum?.held ?? 0, warnings };
  }

  #free(name: LeaseName): number {
    const row = this.#one(name);
    return row === undefined ? 0 : row.cap - row.out;
  }

  #one({ id, sinceMs }: LeaseName): Row | undefined {
    return this.#all<Row>("SELECT * FROM allowance WHERE id = ? AND since_ms = ?", id, sinceMs)[0];
  }

  #lease(holder: string, { id, sinceMs }: LeaseName): Omit<Account, keyof LeaseName> | undefined {
    return this.#all<Omit<Account, keyof LeaseName>>(
      `SELECT granted, returned, used, held FROM lease
       WHERE id = ? AND since_ms = ? AND holder = ?`,
      id,
      sinceMs,
      holder,
    )[0];
  }

  /** B2: of rates and of money whose time is over. */
  #sweep(nowMs: number): void {
    if (nowMs - this.#sweptMs < SWEEP_MS) return;
    this.#sweptMs = nowMs;
    const over = `SELECT id, since_ms FROM allowance
      WHERE ends_ms < CASE kind WHEN 'money' THEN ? ELSE ? END`;
    this.#storage.transactionSync(() => {
      for (const table of ["lease", "warning", "allowance"]) {
        this.#run(
          `DELETE FROM ${table} WHERE (id, since_ms) IN (${over})`,
          nowMs - KEPT_MS,
          nowMs - SWEEP_MS,
        );
      }
    });
  }

  #all<T>(statement: string, ...bindings: readonly SqlStorageValue[]): T[] {
    return this.#storage.sql.exec(statement, ...bindings).toArray() as T[];
  }

  #run(statement: string, ...bindings: readonly SqlStorageValue[]): void {
    this.#storage.sql.exec(statement, ...bindings);
  }
}

/** A threshold that was reached, names as in the table. */
export type Warning = {
  readonly id: string;
  readonly since_ms: number;
  readonly pct: number;
  readonly used: number;
  readonly cap: number;
  readonly rule: string;
};

function nameOf({ id, since_ms: sinceMs }: Row): LeaseName {
  return { id, sinceMs };
}

/** The answer, or undefined when it does not come in time or at all. */
async function within<T>(ms: number, answer: Promise<T | undefined>): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([answer, late]);
  } catch {
    return undefined; // unreachable now: what it holds stays out
  } finally {
    clearTimeout(timer);
  }
}
