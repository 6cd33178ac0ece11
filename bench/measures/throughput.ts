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
    ...(await measure(pair, effort, { callers: 16, agents: ONE, bound: 0.85 })),
    ...(await measure(pair, effort, { callers: 64, agents: ONE })),
    ...(await measure(pair, effort, { callers: 16, agents: AGENTS })),
  ];
}

type Load = {
  readonly callers: number;
  readonly agents: readonly string[];
  readonly bound?: number;
};

async function measure({ floor, product }: Pair, effort: Effort, load: Load): Promise<Row[]> {
  const callers = new Callers(load.callers);
  const contenders = [floor, product].map(({ server, target }) => {
    const targets = load.agents.map((name) => target(name));
    return async () => {
      const beforeMs = server.cpuMs();
      const perSecond = await callers.throughput(targets, effort.windowMs);
      await server.quiet();
      return [perSecond, ((server.cpuMs() - beforeMs) * 1000) / (perSecond * effort.windowMs)];
    };
  });
  for (const contender of contenders) await contender(); // warm
  const samples = await inTurns(effort.rounds, contenders);
  callers.close();
  const many = load.agents.length > 1 ? `, ${load.agents.length} agents` : "";
  const id = `callers_${load.callers}${many === "" ? "" : "_spread"}`;
  const row = (at: number, rest: Pick<Row, "id" | "what" | "unit" | "goal" | "note">): Row => {
    const [theirs, ours] = [0, 1].map((one) => perRound(samples, one, (round) => round[at] ?? 0));
    return {
      ...rest,
      product: median(ours ?? []),
      floor: median(theirs ?? []),
      ratio: medianRatio(ours ?? [], theirs ?? []),
    };
  };
  const what = `${load.callers} callers${many}`;
  return [
    row(0, {
      id: `throughput.${id}`,
      what: `invocations/s, ${what}`,
      unit: "/s",
      ...(load.bound === undefined ? {} : { goal: { kind: "min", bound: load.bound } }),
    }),
    row(1, {
      id: `cpu.${id}`,
      what: `CPU per invocation, ${what}`,
      unit: "ms",
      ...(load.agents.length > 1 ? { note: "workerd's, the ledger's upkeep included" } : {}),
    }),
  ];
}
