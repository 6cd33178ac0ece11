/** Collects what a run came to, for `tools/test.ts`, which counts it and checks requirements. */
import type { Reporter, SerializedError, TestModule } from "vitest/node";

/** Names are full ones, their `describe`s in front. */
export type Results = {
  readonly passed: readonly string[];
  readonly failed: readonly string[];
  readonly skipped: readonly string[];
};

export class ResultsReporter implements Reporter {
  readonly #names = { passed: [] as string[], failed: [] as string[], skipped: [] as string[] };
  #ended = false;

  onTestRunEnd(modules: readonly TestModule[], errors: readonly SerializedError[]): void {
    this.#ended = true;
    for (const module of modules) this.#add(module);
    this.#names.failed.push(...errors.map((error) => `unhandled: ${error.message}`));
  }

  /** A run that did not come to its end is one failure more. */
  results(): Results {
    if (this.#ended) return this.#names;
    return { ...this.#names, failed: [...this.#names.failed, "the run did not come to its end"] };
  }

  #add(module: TestModule): void {
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      // A test that never ended has not passed.
      this.#names[state === "pending" ? "failed" : state].push(test.fullName);
    }
    // A file that could not be loaded, or a hook that threw: no test of it may say so.
    const suites = [...module.children.allSuites()];
    const broken = [module, ...suites].some((part) => part.errors().length > 0);
    if (broken) this.#names.failed.push(`${module.relativeModuleId} as a whole`);
  }
}
