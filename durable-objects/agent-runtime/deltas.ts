import { appendEvents, type Fact } from "./events.ts";
import { current, type Claim, type Kernel } from "./kernel.ts";

/** The first piece goes out at once, the rest at these bounds (DECISIONS 18). */
const FLUSH_MS = 50;
const FLUSH_UNITS = 2000;

/** A model's words on their way into the event log, gathered so that a commit carries many. */
export class Deltas {
  readonly #kernel: Kernel;
  readonly #claim: Claim;
  #text = "";
  #timer: ReturnType<typeof setTimeout> | undefined;
  #begun = false;

  constructor(kernel: Kernel, claim: Claim) {
    this.#kernel = kernel;
    this.#claim = claim;
  }

  push(text: string): void {
    this.#text += text;
    if (!this.#begun || this.#text.length >= FLUSH_UNITS) {
      this.#begun = true;
      this.#flush();
    } else {
      this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS);
    }
  }

  /** What is not yet in the log, for the transaction that finishes the step. */
  rest(): readonly Fact[] {
    this.stop();
    if (this.#text === "") return [];
    const facts: Fact[] = [["message.delta", { text: this.#text }]];
    this.#text = "";
    return facts;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #flush(): void {
    this.stop();
    const { sql, feed } = this.#kernel;
    if (this.#text === "" || !current(this.#kernel, this.#claim)) return;
    const facts: Fact[] = [["message.delta", { text: this.#text }]];
    this.#text = "";
    appendEvents(sql, this.#claim.id, this.#claim.seq, facts, this.#kernel.now());
    this.#claim.seq += 1;
    feed.changed(this.#claim.id);
    this.#kernel.faults.at("after-delta");
  }
}
