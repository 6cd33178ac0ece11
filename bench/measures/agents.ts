/** Many live agents in one process: what each holds in memory, and whether the others notice. */
import { all, inTurns, perRound } from "../turns.ts";
import type { Effort } from "../effort.ts";
import { Callers } from "../load.ts";
import type { Row } from "../report.ts";
import { median, medianRatio } from "../statistics.ts";
import type { Contender, World } from "../world.ts";

const FEW = 10;

export async function agents(world: World, effort: Effort): Promise<Row[]> {
  const names = Array.from({ length: effort.agents }, (_, at) => `agent-${at}-stub`);
  const product = await world.product("agents");
  await product.deploy(names);
  await product.server.stop();
  const [floorMemory, floorIdle] = await memory(() => world.floor("agents"), names);
  const [productMemory, productIdle] = await memory(() => world.product("agents"), names);
  return [
    {
      id: "memory.idle",
      what: "resident, idle",
      unit: "MB",
      product: productIdle / 1e6,
      floor: floorIdle / 1e6,
      ratio: productIdle / floorIdle,
    },
    {
      id: "memory.per_agent",
      what: `memory per live agent, ${names.length} live`,
      unit: "kB",
      product: productMemory / 1e3,
      floor: floorMemory / 1e3,
      ratio: productMemory / floorMemory,
      goal: { kind: "max", bound: 1.5 },
    },
    await manyAgainstFew(world, names, effort),
  ];
}

/**
 * Growth per object while each of `names` becomes live. The same number of calls to a few objects
 * comes first, so that what calls leave on the heap is not taken for what objects hold.
 */
async function memory(
  start: () => Promise<Contender>,
  names: readonly string[],
): Promise<readonly [perAgentBytes: number, idleBytes: number]> {
  const { server, target } = await start();
  const callers = new Callers(4);
  const few = names.slice(0, FEW).map((name) => target(name));
  const idleBytes = await callers.each(few.slice(0, 1)).then(() => server.rssBytes());
  for (let call = 0; call < names.length * 2; call += FEW) await callers.each(few);
  const before = server.rssBytes();
  await callers.each(names.slice(FEW).map((name) => target(name)));
  const after = server.rssBytes();
  callers.close();
  await server.stop();
  return [(after - before) / (names.length - FEW), idleBytes];
}

/**
 * Two servers, one with few agents and one with many, each called by one caller for as many calls
 * as there are many. A turn begins with the same calls by sixteen, so that objects are live and
 * addresses known: what is compared is the number of agents, not their sleep between turns.
 */
async function manyAgainstFew(
  world: World,
  names: readonly string[],
  effort: Effort,
): Promise<Row> {
  const many = await world.product("agents");
  const few = await world.product("few");
  await few.deploy(names.slice(0, FEW));
  const hurried = new Callers(16);
  const callers = new Callers(1);
  const turn = ({ server, target }: Contender, of: readonly string[]) => {
    const targets = names.map((_, at) => target(of[at % of.length] ?? ""));
    return async () => {
      await hurried.each(targets);
      const times = await callers.each(targets);
      await server.quiet();
      return times;
    };
  };
  const rounds = Math.max(2, Math.ceil(effort.rounds / 6));
  const samples = await inTurns(rounds, [turn(few, names.slice(0, FEW)), turn(many, names)]);
  callers.close();
  hurried.close();
  await Promise.all([many.server.stop(), few.server.stop()]);
  return {
    id: "agents.p50_many",
    what: `p50 with ${names.length} agents, all called in turn`,
    unit: "ms",
    product: median(all(samples, 1)),
    base: median(all(samples, 0)),
    ratio: medianRatio(perRound(samples, 1), perRound(samples, 0)),
    goal: { kind: "max", bound: 1.2 },
    note: `base and ratio: a server with ${FEW} agents, in turns`,
  };
}
