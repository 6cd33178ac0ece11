/** A session's late turn against first turns: what history costs. */
import { all, inTurns, perRound } from "../turns.ts";
import type { Effort } from "../effort.ts";
import { Callers } from "../load.ts";
import type { Target } from "../load.ts";
import type { Row } from "../report.ts";
import { median, medianRatio } from "../statistics.ts";
import type { Pair } from "./pair.ts";

const AGENT = "session-stub";

export async function session({ product }: Pair, effort: Effort): Promise<Row[]> {
  await product.deploy([AGENT]);
  const callers = new Callers(1);
  let sessions = 0;
  const late = product.target(AGENT, { session: () => "one long session" });
  const first = product.target(AGENT, { session: () => `session ${(sessions += 1)}` });
  for (let turn = 1; turn < effort.turn; turn += 1) await callers.call(late);
  const several = (target: Target) => async () => {
    const times: number[] = [];
    for (let call = 0; call < 10; call += 1) times.push(await callers.call(target));
    return times;
  };
  const samples = await inTurns(effort.rounds, [several(first), several(late)]);
  callers.close();
  return [
    {
      id: "session.late_turn",
      what: `turn ${effort.turn} and later of one session`,
      unit: "ms",
      product: median(all(samples, 1)),
      base: median(all(samples, 0)),
      ratio: medianRatio(perRound(samples, 1), perRound(samples, 0)),
      goal: { kind: "max", bound: 1.2 },
      note: "base and ratio: turn 1 of new sessions, in turns",
    },
  ];
}
