/**
 * `npm run test:kill -- [kills] [seed]`: the kill test in its long form, 200 kills unless said
 * otherwise. A failure prints the seed that repeats it and keeps the state for a look.
 */
import { randomInt } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runStorm } from "../tests/fixtures/storm.ts";
import { build } from "./build.ts";

const [kills = "200", seedText = String(randomInt(2 ** 31))] = process.argv.slice(2);
const seed = Number(seedText);
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const stateDir = mkdtempSync(join(tmpdir(), "berth-storm-"));
say(`${kills} kills with seed ${seed}, state in ${stateDir}`);

const bundle = await build(say, { console: false });
const report = await runStorm({ seed, kills: Number(kills), stateDir, bundle, log: say });
const { violations, ...counts } = report;
say(JSON.stringify(counts));
for (const violation of violations) say(`BROKEN ${violation}`);
if (violations.length > 0) {
  say(`repeat with: npm run test:kill -- ${kills} ${seed}; the state is kept in ${stateDir}`);
  process.exit(1);
}
rmSync(stateDir, { recursive: true, force: true });
say(`no promise was broken in ${counts.kills} kills`);
process.exit(0);
