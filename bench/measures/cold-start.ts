/** From nothing to an answer: of the process, and of one object in a running process. */
import type { Effort } from "../effort.ts";
import { Callers } from "../load.ts";
import type { Row } from "../report.ts";
import { median, medianRatio } from "../statistics.ts";
import type { Contender, World } from "../world.ts";

const AGENTS = Array.from({ length: 40 }, (_, at) => `cold-${at}-stub`);

type Start = { readonly processMs: number; readonly objectMs: number; readonly rssBytes: number };

export async function coldStart(world: World, effort: Effort): Promise<Row[]> {
  await prepare(world);
  const floor: Start[] = [];
  const product: Start[] = [];
  for (let start = 0; start < effort.starts; start += 1) {
    floor.push(await startOnce(() => world.floor("cold")));
    product.push(await startOnce(() => world.product("cold")));
  }
  const row = (id: string, what: string, of: (start: Start) => number, bound?: number): Row => ({
    id: `cold_start.${id}`,
    what,
    unit: id === "rss" ? "MB" : "ms",
    product: median(product.map(of)),
    floor: median(floor.map(of)),
    ratio: medianRatio(product.map(of), floor.map(of)),
    ...(bound === undefined ? {} : { goal: { kind: "max", bound } }),
  });
  return [
    row("process", "cold start, process to first answer", (start) => start.processMs, 2),
    row("object", "cold start, an object's first answer", (start) => start.objectMs, 2),
    row("rss", "resident after the first answer", (start) => start.rssBytes / 1e6),
  ];
}

/** State as an earlier life of the server left it, with every object made. */
async function prepare(world: World): Promise<void> {
  const product = await world.product("cold");
  await product.deploy(AGENTS);
  const floor = await world.floor("cold");
  for (const contender of [product, floor]) {
    const callers = new Callers(4);
    await callers.each(AGENTS.map((name) => contender.target(name)));
    callers.close();
    await contender.server.stop();
  }
}

async function startOnce(start: () => Promise<Contender>): Promise<Start> {
  const startMs = performance.now();
  const { server, target } = await start();
  const callers = new Callers(1);
  const [first = "", ...others] = AGENTS;
  await callers.call(target(first));
  const processMs = performance.now() - startMs;
  const rssBytes = server.rssBytes();
  // The Worker's own first requests are behind us: what follows is the object's.
  for (let call = 0; call < 20; call += 1) await callers.call(target(first));
  const objectMs = median(await callers.each(others.map((name) => target(name))));
  callers.close();
  await server.stop();
  return { processMs, objectMs, rssBytes };
}
