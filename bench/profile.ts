/**
 * Where the time goes: a CPU profile of the Worker and its objects under load.
 *
 *     node tools/run.mjs bench/profile.ts [product|floor] [--callers 16] [--seconds 5] [--top 40]
 *                                         [--stream] [--state FOLDER] [--bundle FOLDER]
 *
 * Prints time by function and by source module, alone and with callees, and writes a `.cpuprofile` for DevTools to
 * bench/results/. `(program)` is the runtime's own work: sockets, object calls, and the fsync of
 * each commit. The profiler slows what it watches: shares count, not times.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "../tools/build.ts";
import { profileWhile } from "./inspector.ts";
import type { Profile } from "./inspector.ts";
import { Callers } from "./load.ts";
import { Places, selfTime, totalTime } from "./shares.ts";
import type { Frame, Share } from "./shares.ts";
import { World } from "./world.ts";
import type { Contender } from "./world.ts";

const AGENT = "profiled-stub";
const WARM_UP = 3000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    callers: { type: "string", default: "16" },
    seconds: { type: "string", default: "5" },
    top: { type: "string", default: "40" },
    stream: { type: "boolean", default: false },
    inspector: { type: "string", default: "9339" },
    state: { type: "string", default: tmpdir() },
    bundle: { type: "string" },
  },
});
const which = positionals[0] === "floor" ? "floor" : "product";
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const world = await World.open(values.state, say, values.bundle);
try {
  const inspectorPort = Number(values.inspector);
  const contender = await start(inspectorPort);
  const { profile, calls } = await underLoad(contender, inspectorPort);
  await contender.server.stop();
  print(profile, calls);
} finally {
  await world.close();
}

async function start(inspectorPort: number): Promise<Contender> {
  if (which === "floor") return world.floor("profile", { inspectorPort });
  const product = await world.product("profile", { inspectorPort });
  await product.deploy([AGENT]);
  return product;
}

async function underLoad(
  { target }: Contender,
  inspectorPort: number,
): Promise<{ readonly profile: Profile; readonly calls: number }> {
  const callers = new Callers(Number(values.callers));
  const headers = values.stream ? { accept: "text/event-stream" } : {};
  const one = target(AGENT, { headers });
  await callers.each(Array.from({ length: WARM_UP }, () => one));
  const seconds = Number(values.seconds);
  let calls = 0;
  const profile = await profileWhile(
    inspectorPort,
    which === "floor" ? "floor" : "berth",
    async () => {
      calls = (await callers.throughput([one], seconds * 1000)) * seconds;
    },
  );
  callers.close();
  return { profile, calls };
}

function print(profile: Profile, calls: number): void {
  const folder = join(ROOT, "bench", "results");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${which}.cpuprofile`);
  writeFileSync(file, JSON.stringify(profile));
  const bundle = which === "floor" ? "" : join(world.bundle.worker, "main.js");
  const places = new Places(bundle === "" ? "" : readFileSync(bundle, "utf8"));
  const byFunction = (frame: Frame) => places.functionOf(frame);
  const byModule = (frame: Frame) => places.moduleOf(frame);
  const top = Number(values.top);
  const section = (title: string, shares: readonly Share[], count: number) =>
    [`\n${title}`, ...shares.slice(0, count).map((share) => lineOf(share, calls))].join("\n");
  process.stdout.write(
    [
      `${which}: ${calls.toFixed(0)} invocations by ${values.callers} callers; µs per invocation`,
      section("self time by module", selfTime(profile, byModule), Math.ceil(top / 2)),
      section("self time by function", selfTime(profile, byFunction), top),
      section("with callees, by function", totalTime(profile, byFunction), top),
      `\n${file}\n`,
    ].join("\n"),
  );
}

function lineOf({ name, us }: Share, calls: number): string {
  return `${(us / calls).toFixed(1).padStart(8)}  ${name}`;
}
