/** One batch against callers that ask for the same number of invocations one by one. */
import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import type { Effort } from "../effort.ts";
import { Callers } from "../load.ts";
import type { Row } from "../report.ts";
import { median, medianRatio } from "../statistics.ts";
import { inTurns, perRound } from "../turns.ts";
import { INPUT, type World } from "../world.ts";

const AGENT = "batched-stub";
const CALLERS = 16;
const POLL_MS = 50;
/** Each turn is some seconds long, so a few rounds tell as much as many short ones. */
const ROUNDS = 5;

const Made = z.object({ id: z.string(), created_at: z.iso.datetime() });
const Seen = z.object({ status: z.string(), completed_at: z.iso.datetime().nullable() });

export async function batch(world: World, effort: Effort): Promise<Row[]> {
  const product = await world.product("batch");
  await product.deploy([AGENT]);
  const target = product.target(AGENT);
  const callers = new Callers(CALLERS);
  const inputs = Array.from({ length: effort.batched }, () => ({ input: INPUT }));
  const direct = async () => {
    const startMs = performance.now();
    await callers.each(inputs.map(() => target));
    return [(inputs.length * 1000) / (performance.now() - startMs)];
  };
  const batched = async () => {
    const asked = { agent: AGENT, inputs };
    const made = Made.parse(await product.api("POST", "/v1/batches", 202, asked));
    for (;;) {
      const seen = Seen.parse(await product.api("GET", `/v1/batches/${made.id}`, 200));
      if (seen.status === "completed" && seen.completed_at !== null) {
        const tookMs = Date.parse(seen.completed_at) - Date.parse(made.created_at);
        return [(inputs.length * 1000) / tookMs];
      }
      await pause(POLL_MS);
    }
  };
  const contenders = [direct, batched];
  for (const contender of contenders) await contender(); // warm
  const rounds = Math.min(ROUNDS, effort.rounds);
  const samples = await inTurns(rounds, contenders, () => product.server.quiet());
  callers.close();
  await product.server.stop();
  const [one = [], many = []] = [0, 1].map((at) => perRound(samples, at));
  return [
    {
      id: "batch.fan_out",
      what: `batch of ${inputs.length}: invocations/s`,
      unit: "/s",
      product: median(many),
      base: median(one),
      ratio: medianRatio(many, one),
      goal: { kind: "min", bound: 0.8 },
      note: `base: ${CALLERS} callers; from the request to the last end`,
    },
  ];
}
