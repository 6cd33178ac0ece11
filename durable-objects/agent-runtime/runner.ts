import type { Clock } from "../../core/clock.ts";
import { alarmDueMs, BEAT_MS, hasOutbox, safeAlarmMs } from "./alarm.ts";
import { MAX_RUNNING } from "./accept.ts";
import { requeueOrphans, takeUp } from "./claim.ts";
import { DELTA_RETENTION_MS, dropDeltas } from "./events.ts";
import type { InvocationRow } from "./invocations.ts";
import { current, type Claim, type Kernel } from "./kernel.ts";
import { carry } from "./run.ts";
import type { Displaced } from "./session-policy.ts";

/** How long finished work gathers before the control plane is told of it. */
const LEDGER_DELAY_MS = 500;
/** Most invocations one alarm or one free place takes up. */
const DISPATCH_LIMIT = 64;

/** What the runner needs of the outside. */
export type RunnerPorts = {
  setAlarm(atMs: number): void;
  /** Wake the ledger's consumer: there are entries to fetch. */
  tellLedger(): Promise<void>;
  readonly now: Clock;
};

/**
 * Starts runs, notices their ends, and keeps the alarm (A2).
 *
 * What is due is started in place when it can be and by the alarm when it must; the alarm never
 * waits for work and never throws, because the runtime's own retries end for good (E4).
 */
export class Runner {
  readonly #kernel: Kernel;
  readonly #ports: RunnerPorts;
  #alarmMs: number | undefined;
  #ledgerTimer: ReturnType<typeof setTimeout> | undefined;
  #awake = false;
  #resting = false;
  /** More may be due than was taken up: what waits is not counted as open. */
  #more = false;

  constructor(kernel: Kernel, ports: RunnerPorts) {
    this.#kernel = kernel;
    this.#ports = ports;
    kernel.open.count = requeueOrphans(kernel, ports.now());
  }

  /** First event of this incarnation: what the last one left is taken up. */
  wake(): void {
    if (this.#awake || this.#resting) return;
    this.#awake = true;
    if (this.#kernel.open.count > 0) this.#dispatch();
    if (hasOutbox(this.#kernel)) this.#ledgerSoon();
    this.arm();
  }

  /**
   * From here on nothing is begun, told or armed. What runs is fenced out and due again when
   * `resume` is called: to it this is a crash.
   */
  rest(): void {
    this.#resting = true;
    clearTimeout(this.#ledgerTimer);
    this.#ledgerTimer = undefined;
    const { running, open } = this.#kernel;
    for (const { stop } of running.values()) stop?.abort(new Error("the object is at rest"));
    this.#kernel.breakers.forget();
    running.clear();
    open.count = requeueOrphans(this.#kernel, this.#ports.now());
  }

  /** Goes on with what the rows say is open. */
  resume(): void {
    this.#resting = false;
    this.#awake = false;
    this.#kernel.breakers.forget();
    this.#kernel.open.count = requeueOrphans(this.#kernel, this.#ports.now());
    this.wake();
  }

  /** An invocation was accepted; with a claim, its run begins here and goes on by itself. */
  accepted(taken: Claim | undefined): void {
    this.#kernel.open.count += 1;
    if (taken) this.#start(taken);
    this.arm();
  }

  /** Something that waited is due now. */
  due(): void {
    this.#dispatch();
    this.arm();
  }

  /** An attempt is over: terminal or waiting with this row, or to be tried again. */
  finished(id: string, row: InvocationRow | undefined): void {
    const { running, open, feed } = this.#kernel;
    running.delete(id);
    if (row) {
      open.count -= 1;
      feed.ended(id, row);
      if (row.status !== "waiting" || hasOutbox(this.#kernel)) this.#ledgerSoon();
    } else {
      feed.changed(id);
    }
    const more = open.count > running.size || this.#more || this.#kernel.intake.draining;
    if (more) this.#dispatch();
    if (row?.status === "waiting") this.#set(0); // it may be due before the next beat
    this.arm();
  }

  /** A run was cancelled: what it has under way is stopped. */
  cancelled({ row, waited }: Displaced): void {
    const { running, open } = this.#kernel;
    running.get(row.id)?.stop?.abort(new Error("cancelled"));
    if (waited) open.count += 1; // what waits is not counted
    this.finished(row.id, row);
  }

  async alarm(scheduledMs: number): Promise<void> {
    this.#alarmMs = undefined;
    if (this.#resting) return;
    try {
      this.wake();
      this.#kernel.health.tick(this.#ports.now());
      this.#dispatch();
      dropDeltas(this.#kernel.sql, this.#ports.now() - DELTA_RETENTION_MS, DISPATCH_LIMIT);
      this.#kernel.retained.work(this.#ports.now());
      if (hasOutbox(this.#kernel)) await this.#ports.tellLedger();
    } catch (e) {
      logDefect("alarm.defect", e);
    }
    this.#set(scheduledMs);
  }

  /** A2. Nothing is written while an alarm is set that comes early enough. */
  arm(): void {
    if (this.#resting) return;
    const nowMs = this.#ports.now();
    if (this.#alarmMs !== undefined && this.#alarmMs <= nowMs) this.#alarmMs = undefined;
    if (!this.#covered(nowMs)) this.#set(0);
  }

  #set(scheduledMs: number): void {
    const nowMs = this.#ports.now();
    const due = alarmDueMs(this.#kernel, nowMs);
    if (due === undefined) return;
    const at = safeAlarmMs(due, nowMs, scheduledMs);
    if (this.#alarmMs !== undefined && this.#alarmMs <= at) return;
    this.#alarmMs = at;
    this.#ports.setAlarm(at);
  }

  /** The common case, decided without a query: everything open runs and the beat is set. */
  #covered(nowMs: number): boolean {
    const { open, running } = this.#kernel;
    return (
      this.#alarmMs !== undefined && this.#alarmMs <= nowMs + BEAT_MS && open.count === running.size
    );
  }

  #dispatch(): void {
    if (this.#resting) return;
    const nowMs = this.#ports.now();
    this.#kernel.breakers.wakeDue(nowMs);
    const places = Math.min(DISPATCH_LIMIT, MAX_RUNNING - this.#kernel.running.size);
    const ids = this.#kernel.intake.due(this.#kernel, nowMs, places);
    this.#more = ids.length >= places;
    for (const id of ids) {
      const taken = takeUp(this.#kernel, id, nowMs);
      if (taken?.claim) {
        this.#start(taken.claim);
        this.#kernel.feed.changed(id); // that it runs, again or at last, is an event
      } else if (taken?.ended) {
        this.finished(id, taken.ended);
      }
      this.#kernel.faults.at("after-claim");
    }
  }

  #start(taken: Claim): void {
    this.#kernel.running.set(taken.id, { attempt: taken.attempt });
    void this.#carry(taken).catch((e: unknown) => logDefect("run.defect", e));
  }

  async #carry(taken: Claim): Promise<void> {
    const row = await carry(this.#kernel, taken);
    if (current(this.#kernel, taken)) this.finished(taken.id, row);
  }

  /** Told once for all that finishes within a moment. */
  #ledgerSoon(): void {
    if (this.#ledgerTimer !== undefined || this.#resting) return;
    this.#ledgerTimer = setTimeout(() => {
      this.#ledgerTimer = undefined;
      void this.#ports.tellLedger().catch((e: unknown) => logDefect("ledger.defect", e));
    }, LEDGER_DELAY_MS);
  }
}

export function logDefect(event: string, e: unknown): void {
  console.error(JSON.stringify({ level: "error", event, detail: String(e) }));
}
