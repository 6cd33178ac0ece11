/** Time to the first word of a streamed answer, with a model that takes 50 ms to say it. */
import { all, inTurns, perRound } from "../turns.ts";
import type { Effort } from "../effort.ts";
import { Callers } from "../load.ts";
import type { Target } from "../load.ts";
import type { Row } from "../report.ts";
import { median, medianRatio } from "../statistics.ts";
import type { Pair } from "./pair.ts";

const MODEL = "stub-50";
const AGENT = `first-token-${MODEL}`;
const CALLS = 8;
const STREAMED = { headers: { accept: "text/event-stream" } };

export async function firstToken({ world, floor, product }: Pair, effort: Effort): Promise<Row[]> {
  await product.deploy([AGENT]);
  const callers = new Callers(1);
  // The word itself, so that no event before it counts as the answer's beginning.
  const time = (target: Target, mark: string) => async () => {
    const times: number[] = [];
    for (let call = 0; call < CALLS; call += 1) times.push(await callers.first(target, mark));
    return times;
  };
  const contenders = [
    time(world.direct(MODEL, true), '"A "'),
    time(floor.target(AGENT, STREAMED), '"A "'),
    time(product.target(AGENT, STREAMED), "message.delta"),
  ];
  for (const contender of contenders) await contender(); // warm
  const samples = await inTurns(Math.ceil(effort.rounds / 2), contenders);
  callers.close();
  const [direct, theirs, ours] = [0, 1, 2].map((at) => perRound(samples, at)) as [
    readonly number[],
    readonly number[],
    readonly number[],
  ];
  return [
    {
      id: "first_token.ms",
      what: "first token, 50 ms model",
      unit: "ms",
      product: median(all(samples, 2)),
      floor: median(all(samples, 1)),
      base: median(all(samples, 0)),
      ratio: medianRatio(ours, direct),
      goal: { kind: "max", bound: 1.1 },
      note: `ratio to the stub itself; the floor's is ${medianRatio(theirs, direct).toFixed(2)} ×`,
    },
  ];
}
