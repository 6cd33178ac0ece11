/**
 * A run executed over its journal alone.
 *
 * J1  Nothing is asked of the outside: a step's answer is the journal's, or there is none.
 * J2  Every request is built by the code that builds a live run's, and its hash compared.
 * J3  What differs is named by its step and never passed over.
 */
import type { ModelMessage } from "../../core/models/contract.ts";
import type { ToolResult } from "../../core/tools/contract.ts";
import type { Steps } from "./converse.ts";
import type { Kernel } from "./kernel.ts";
import type { ModelStep } from "./model-step.ts";
import { hashOf, requestFor, type Place } from "./prompt.ts";
import { modelKey, outputOf, toolKey, undoKey, type StepOutput, type StepRow } from "./steps.ts";

/** The re-execution came to a step that the journal has no answer for. */
export class JournalEnd extends Error {
  override readonly name = "JournalEnd";
  readonly step: string;
  constructor(step: string) {
    super(`the journal ends before ${step}`);
    this.step = step;
  }
}

/** The re-execution and the journal differ. */
export class Diverged extends Error {
  override readonly name = "Diverged";
  readonly step: string;
  /** What the turn had produced when it was noticed. */
  readonly produced: readonly ModelMessage[];
  constructor(step: string, detail: string, produced: readonly ModelMessage[] = []) {
    super(detail);
    this.step = step;
    this.produced = produced;
  }
}

export type Reading = {
  readonly rows: ReadonlyMap<string, StepRow>;
  /**
   * `verify`: every request is the journal's. `resume`: those that were answered are, and what was
   * undone is none. `adopt`:
   * others are what is wanted, and are noted.
   */
  readonly mode: "verify" | "resume" | "adopt";
  /** A step that counts as not answered. */
  readonly stop?: string | undefined;
  /** By step: what a tool is taken to have answered. */
  readonly results?: ReadonlyMap<string, ToolResult>;
};

/** A step whose answer was taken from the journal. */
export type Taken = {
  readonly key: string;
  readonly row: StepRow;
  /** Of the request as it was built now. */
  readonly inputHash: string;
  readonly output: StepOutput;
};

/** Most models that are asked one after the other for an answer: the spec's and its fallbacks. */
const PLACES = 6;

/** The steps of a run as its journal has them. `converse` runs over it as over the live ones. */
export class JournalSteps implements Steps {
  /** In the order the run came to them. */
  readonly taken: Taken[] = [];
  /** Calls of the last step that nobody knows the outcome of. */
  readonly unknown: StepRow[] = [];
  readonly #kernel: Pick<Kernel, "sql" | "sha256">;
  readonly #place: Place;
  readonly #reading: Reading;

  constructor(kernel: Pick<Kernel, "sql" | "sha256">, place: Place, reading: Reading) {
    this.#kernel = kernel;
    this.#place = place;
    this.#reading = reading;
  }

  async model(i: number, produced: readonly ModelMessage[]): Promise<ModelStep> {
    const { rows, stop, mode } = this.#reading;
    const keys = Array.from({ length: PLACES }, (_, k) => modelKey(i, k));
    const known = keys.flatMap((key) => rows.get(key) ?? []);
    const done = known.find(({ state }) => state === "done");
    if (mode === "verify") {
      for (const row of known) {
        this.#compare(row, this.#hash(row.key, i, produced), produced);
        // What a fork took over was said by the model that the first run asked.
        if (row.attempt > 0 && row.name !== this.#refOf(row.key, produced)) {
          throw new Diverged(row.key, `${row.key} asks another model`, produced);
        }
        if (row === done) break;
      }
    }
    if (mode === "resume" && done) this.#compare(done, this.#hash(done.key, i, produced), produced);
    if (stop !== undefined && keys.includes(stop)) throw new JournalEnd(stop);
    if (!done) throw new JournalEnd(known.at(-1)?.key ?? modelKey(i, 0));
    const output = this.#read(done);
    if (!("answer" in output)) throw new Diverged(done.key, "its stored answer is none", produced);
    // A fork asks its own first model again, should it have to: the answer stands in its place.
    const key = mode === "adopt" ? modelKey(i, 0) : done.key;
    this.taken.push({ key, row: done, inputHash: this.#hash(key, i, produced), output });
    return { answer: output.answer, record: () => {}, facts: [] };
  }

  async tools(i: number, { answer }: ModelStep): Promise<readonly ModelMessage[]> {
    const { rows, stop, results, mode } = this.#reading;
    let end: string | undefined;
    const messages = answer.toolCalls.flatMap((call, j): ModelMessage[] => {
      const key = toolKey(i, j);
      const inputHash = this.#kernel.sha256(`${call.name}\n${call.arguments}`);
      const row = rows.get(key);
      if (row && row.input_hash !== inputHash) {
        throw new Diverged(key, `${key} calls otherwise than the journal says`);
      }
      const undone = mode === "resume" && rows.has(undoKey(key));
      const left = undone || key === stop;
      const result = row && (results?.get(key) ?? (left ? undefined : this.#result(row)));
      if (!row || !result) {
        if (row?.state === "unknown") this.unknown.push(row);
        end ??= key;
        return [];
      }
      this.taken.push({ key, row, inputHash, output: { result } });
      return [{ role: "tool", content: result.content, toolCallId: call.id }];
    });
    if (end !== undefined) throw new JournalEnd(end);
    return messages;
  }

  /** Hash of what the spec's model in the place that `key` names is asked. */
  #hash(key: string, i: number, produced: readonly ModelMessage[]): string {
    const ref = this.#refOf(key, produced);
    return hashOf(this.#kernel, requestFor(this.#kernel, this.#place, ref, i, produced));
  }

  #refOf(key: string, produced: readonly ModelMessage[]): string {
    const { spec } = this.#place.installed;
    const ref = [spec.model, ...spec.fallback][Number(key.slice(key.indexOf("#") + 1))];
    if (ref === undefined) throw new Diverged(key, `${key} has no model in the spec`, produced);
    return ref;
  }

  #compare(row: StepRow, hash: string, produced: readonly ModelMessage[]): void {
    if (row.input_hash === hash) return;
    throw new Diverged(row.key, `${row.key} asks otherwise than the journal says`, produced);
  }

  #result(row: StepRow): ToolResult | undefined {
    if (row.state !== "done") return undefined;
    const output = this.#read(row);
    if ("result" in output) return output.result;
    throw new Diverged(row.key, "its stored result is none");
  }

  #read(row: StepRow): StepOutput {
    try {
      const output = outputOf(this.#kernel.sql, row);
      if (output) return output;
    } catch {
      // No JSON any more: falls through, as a row without an answer.
    }
    throw new Diverged(row.key, "what the journal holds cannot be read");
  }
}
