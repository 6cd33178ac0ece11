import { randomInt } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { build } from "../../tools/build.ts";
import { runStorm } from "../fixtures/storm.ts";

/** The long form is `npm run test:kill`. */
const KILLS = 5;

it("F94, F95: every accepted invocation ends once, whatever moment the platform is killed at", async () => {
  const seed = Number(process.env["KILL_SEED"] ?? randomInt(2 ** 31));
  process.stdout.write(`kill test: KILL_SEED=${seed}\n`);
  const stateDir = await mkdtemp(join(tmpdir(), "berth-storm-"));
  onTestFinished(async () => rm(stateDir, { recursive: true, force: true }));
  const bundle = await build(undefined, { console: false });
  const report = await runStorm({ seed, kills: KILLS, stateDir, bundle });
  expect(report.violations).toEqual([]);
  expect(report.kills).toBeGreaterThanOrEqual(KILLS);
  expect(report.accepted).toBeGreaterThan(0);
});
