/**
 * `npm run bench`: floor and product on the same server in the same run, as ratios.
 *
 *     npm run bench -- [--quick] [--only latency,throughput] [--rounds N] [--json] [--state FOLDER] [--bundle FOLDER]
 *
 * Prints a table with each goal beside its number and writes the same as JSON to bench/results/
 * (`--json`: to stdout instead of the table). A missed goal is reported, never a failure.
 */
import { execFileSync } from "node:child_process";
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { availableParallelism, cpus, totalmem, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "../tools/build.ts";
import { FULL, QUICK } from "./effort.ts";
import type { Effort } from "./effort.ts";
import { agents } from "./measures/agents.ts";
import { batch } from "./measures/batch.ts";
import { coldStart } from "./measures/cold-start.ts";
import { counted } from "./measures/counted.ts";
import { firstToken } from "./measures/first-token.ts";
import { identity } from "./measures/identity.ts";
import { latency } from "./measures/latency.ts";
import type { Pair } from "./measures/pair.ts";
import { recall } from "./measures/recall.ts";
import { recovery } from "./measures/recovery.ts";
import { replay } from "./measures/replay.ts";
import { session } from "./measures/session.ts";
import { soak } from "./measures/soak.ts";
import { throughput } from "./measures/throughput.ts";
import { table } from "./report.ts";
import type { Report, Row } from "./report.ts";
import { median } from "./statistics.ts";
import { World } from "./world.ts";

/** In the order of the table; each starts what it needs. */
const MEASURES: Readonly<Record<string, (world: World, effort: Effort) => Promise<Row[]>>> = {
  latency: sideBySide(latency),
  throughput: sideBySide(throughput),
  batch,
  "first-token": sideBySide(firstToken),
  session: sideBySide(session),
  counted,
  identity,
  agents,
  "cold-start": coldStart,
  recovery,
  replay,
  soak,
  recall,
};

function sideBySide(measure: (pair: Pair, effort: Effort) => Promise<Row[]>) {
  return async (world: World, effort: Effort): Promise<Row[]> => {
    const floor = await world.floor("pair");
    const product = await world.product("pair");
    try {
      return await measure({ world, floor, product }, effort);
    } finally {
      await Promise.all([floor.server.stop(), product.server.stop()]);
    }
  };
}

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    rounds: { type: "string" },
    json: { type: "boolean", default: false },
    state: { type: "string", default: tmpdir() },
    bundle: { type: "string" },
  },
});
const effort = { ...(values.quick ? QUICK : FULL) };
const rounds = Number(values.rounds ?? effort.rounds);
const wanted = values.only?.split(",") ?? Object.keys(MEASURES);
const unknown = wanted.filter((name) => !(name in MEASURES));
if (unknown.length > 0 || !Number.isInteger(rounds) || rounds < 1) {
  const names = Object.keys(MEASURES).join(", ");
  process.stderr.write(`--only takes ${names}; --rounds a whole number above 0\n`);
  process.exit(2);
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const world = await World.open(values.state, say, values.bundle);
const rows: Row[] = [];
try {
  for (const name of wanted) {
    say(`Measuring ${name} …`);
    rows.push(...(await measured(name)));
  }
} finally {
  await world.close();
}
process.exitCode = rows.some((row) => row.id.endsWith(".broken")) ? 1 : 0;
const report: Report = { at: new Date().toISOString(), commit: commit(), machine: machine(), rows };
const json = JSON.stringify(report, undefined, 2);
const folder = join(ROOT, "bench", "results");
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, `${report.at.replaceAll(":", "-")}.json`), `${json}\n`);
process.stdout.write(values.json ? `${json}\n` : `\n${table(rows)}\n`);

/** One that breaks off takes none of the others with it; it is a row of its own. */
async function measured(name: string): Promise<readonly Row[]> {
  try {
    return (await MEASURES[name]?.(world, { ...effort, rounds })) ?? [];
  } catch (error) {
    await world.stopServers();
    const note = error instanceof Error ? error.message : String(error);
    return [{ id: `${name}.broken`, what: name, unit: "", product: null, note }];
  }
}

function commit(): string {
  try {
    const options = { cwd: ROOT, encoding: "utf8" } as const;
    return execFileSync("git", ["describe", "--always", "--dirty"], options).trim();
  } catch {
    return "unknown";
  }
}

/** What the absolute numbers rest on; a commit is one fsync, so the disk's stands among them. */
function machine(): Readonly<Record<string, string | number>> {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memory_gb: Math.round(totalmem() / 1e9),
    node: process.version,
    fsync_p50_us: Math.round(fsyncUs()),
  };
}

function fsyncUs(): number {
  const path = join(values.state, `berth-bench-fsync-${process.pid}`);
  const file = openSync(path, "w");
  const times = Array.from({ length: 50 }, () => {
    writeSync(file, "x".repeat(4096));
    const startMs = performance.now();
    fsyncSync(file);
    return (performance.now() - startMs) * 1000;
  });
  closeSync(file);
  rmSync(path);
  return median(times);
}
