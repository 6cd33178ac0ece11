/** Invocations per second: of one agent, and of a machine with its callers spread over 16. */
import { inTurns, perRound } from "../turns.ts";
import type { Effort } from "../effort.ts";
import { Callers } from "../load.ts";
import type { Row } from "../report.ts";
import { median, medianRatio } from "../statistics.ts";
import type { Pair } from "./pair.ts";

const AGENTS = Array.from({ length: 16 }, (_, at) => `throughput-${at}-stub`);
const ONE = AGENTS.slice(0, 1);

export async function throughput(pair: Pair, effort: Effort): Promise<Row[]> {
  await pair.product.deploy(AGENTS);
  return [
    await measure(pair, effort, { callers: 16, agents: ONE, bound: 0.85 }),
    await measure(pair, effort, { callers: 64, agents: ONE }),
    await measure(pair, effort, { callers: 16, agents: AGENTS }),
  ];
}

async function measure(
  { floor, product }: Pair,
  effort: Effort,
  load: {
    readonly callers: number;
    readonly agents: readonly string[];
    readonly bound?: number;
  },
): Promise<Row> {
  const callers = new Callers(load.callers);
  const contenders = [floor, product].map((contender) => {
    const targets = load.agents.map((name) => contender.target(name));
    return async () => [await callers.throughput(targets, effort.windowMs)];
  });
  for (const contender of contenders) await contender(); // warm
  const samples = await inTurns(effort.rounds, contenders);
  callers.close();
  const [theirs, ours] = [perRound(samples, 0), perRound(samples, 1)];
  const many = load.agents.length > 1 ? `, ${load.agents.length} agents` : "";
  return {
    id: `throughput.callers_${load.callers}${many === "" ? "" : "_spread"}`,
    what: `invocations/s, ${load.callers} callers${many}`,
    unit: "/s",
    product: median(ours),
    floor: median(theirs),
    ratio: medianRatio(ours, theirs),
    ...(load.bound === undefined ? {} : { goal: { kind: "min", bound: load.bound } }),
  };
}
