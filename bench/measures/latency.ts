/** Added latency of a full invocation at one caller, over calling the model directly. */
import { inTurns, all, perRound } from "../turns.ts";
import type { Effort } from "../effort.ts";
import { Callers } from "../load.ts";
import type { Target } from "../load.ts";
import type { Row } from "../report.ts";
import { medianRatio, quantile } from "../statistics.ts";
import type { Pair } from "./pair.ts";

const AGENT = "latency-stub";
const WARM_UP = 200;

export async function latency({ world, floor, product }: Pair, effort: Effort): Promise<Row[]> {
  await product.deploy([AGENT]);
  const callers = new Callers(1);
  const targets = [world.direct("stub"), floor.target(AGENT), product.target(AGENT)];
  for (let call = 0; call < WARM_UP; call += 1) {
    for (const target of targets) await callers.call(target);
  }
  const samples = await inTurns(
    effort.rounds,
    targets.map((target) => () => several(callers, target, effort.calls)),
    () => product.server.quiet(),
  );
  callers.close();
  const [direct, ours, theirs] = [perRound(samples, 0), perRound(samples, 2), perRound(samples, 1)];
  const less = (values: readonly number[]) =>
    values.map((value, round) => value - (direct[round] ?? Number.NaN));
  const pairedRatio = medianRatio(less(ours), less(theirs));
  const added = (contender: number, q: number) =>
    quantile(all(samples, contender), q) - quantile(all(samples, 0), q);
  const row = (name: string, q: number): Row => ({
    id: `latency.added_${name}`,
    what: `added latency, 1 caller, ${name}`,
    unit: "ms",
    product: added(2, q),
    floor: added(1, q),
    base: quantile(all(samples, 0), q),
    ratio: added(2, q) / added(1, q),
  });
  const p50 = { ...row("p50", 0.5), ratio: pairedRatio };
  return [{ ...p50, goal: { kind: "max", bound: 1.2 } }, row("p95", 0.95), row("p99", 0.99)];
}

async function several(callers: Callers, target: Target, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let call = 0; call < count; call += 1) times.push(await callers.call(target));
  return times;
}
