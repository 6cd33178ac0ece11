/**
 * `npm test`: build, run every test, check that what is claimed is proved, and close with the plain
 * line `N passed, N failed`. Arguments go to vitest; with any, the requirements are not checked.
 */
import { parseCLI, startVitest } from "vitest/node";
import { coverageOf, provedBy } from "../tests/coverage.ts";
import { REQUIREMENTS } from "../tests/requirements.ts";
import { ResultsReporter } from "../tests/results-reporter.ts";
import type { Results } from "../tests/results-reporter.ts";
import { build } from "./build.ts";
import { findChromium, HOW_TO_GET_CHROMIUM } from "./chromium.ts";

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const args = process.argv.slice(2);

const problems: string[] = [];
try {
  await build(say);
} catch (error) {
  problems.push(error instanceof Error ? error.message : String(error));
}
const results = await runTests();
if (args.length === 0) problems.push(...unprovedClaims(results));
const withoutBrowser = findChromium() === undefined;
if (withoutBrowser && process.env["BERTH_REQUIRE_BROWSER"] === "1") {
  problems.push("BERTH_REQUIRE_BROWSER is 1 and there is no Chromium");
}
conclude(results, withoutBrowser);

async function runTests(): Promise<Results> {
  const { filter, options } = parseCLI(["vitest", "run", ...args]);
  const reporter = new ResultsReporter();
  const vitest = await startVitest("test", filter, {
    ...options,
    run: true,
    watch: false,
    reporters: ["default", reporter],
  });
  await vitest.close();
  return reporter.results();
}

/** What only a browser proves is not held against a machine without one; CI has one. */
function unprovedClaims({ passed, skipped }: Results): readonly string[] {
  const { unproved, unknown, unclaimed } = coverageOf(REQUIREMENTS, passed);
  const waiting = provedBy(skipped);
  if (unclaimed.length > 0) say(`\nIn a test's name, not claimed as done: ${unclaimed.join(" ")}`);
  return [
    ...unproved
      .filter((id) => !waiting.has(id))
      .map((id) => `${id} is claimed as done and in the name of no test that passed`),
    ...unknown.map((id) => `${id} is in a test's name and in no list of requirements`),
  ];
}

/** Every problem counts as a failure: the last line may not say otherwise than the exit code. */
function conclude({ passed, failed, skipped }: Results, withoutBrowser: boolean): never {
  for (const problem of problems) say(`\nFAILED ${problem}`);
  if (withoutBrowser) say(`\n${HOW_TO_GET_CHROMIUM}`);
  const failures = failed.length + problems.length;
  const tail = skipped.length > 0 ? `, ${skipped.length} skipped` : "";
  say(`\n${passed.length} passed, ${failures} failed${tail}`);
  process.exit(failures === 0 ? 0 : 1);
}
