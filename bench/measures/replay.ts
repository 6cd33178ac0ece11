/** Executing a run again over its journal, against the run: ten model calls of 50 ms each. */
import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import { Invocation } from "../../core/invocations/contract.ts";
import { Replay } from "../../core/replays/contract.ts";
import type { Effort } from "../effort.ts";
import type { Row } from "../report.ts";
import { median } from "../statistics.ts";
import type { Product, World } from "../world.ts";

const SLUG = "ten-calls";
const SPEC = {
  kind: "llm",
  instructions: "You answer in one short sentence.",
  model: "stub/stub-50-calls-9",
  tools: [{ kind: "clock", name: "now", description: "The time." }],
  max_steps: 12,
};
const POLL_MS = 20;
const Made = z.object({ id: z.string() });
const Deployment = z.object({ id: z.string(), status: z.string() });

export async function replay(world: World, effort: Effort): Promise<Row[]> {
  const product = await world.product("replay");
  try {
    await deploy(product);
    const runs: number[] = [];
    const replays: number[] = [];
    for (let round = 0; round < effort.rounds; round += 1) {
      const [runMs, id] = await timed(() => run(product));
      const [replayMs] = await timed(() => again(product, id));
      runs.push(runMs);
      replays.push(replayMs);
    }
    const [runMs, replayMs] = [median(runs), median(replays)];
    return [
      {
        id: "replay.of_run",
        what: "replay of a run of ten 50 ms model calls",
        unit: "ms",
        product: replayMs,
        floor: runMs,
        ratio: replayMs / runMs,
        goal: { kind: "max", bound: 1 / 20 },
        note: "floor: the run itself",
      },
    ];
  } finally {
    await product.server.stop();
  }
}

async function deploy({ api }: Product): Promise<void> {
  const json = { slug: SLUG, name: SLUG, spec: SPEC };
  const { id } = Made.parse(await api("POST", "/v1/agents", 201, json));
  await api("POST", `/v1/agents/${id}/publish`, 201);
  const wanted = { version: 1, environment: "prod" };
  const queued = await api("POST", `/v1/agents/${id}/deployments`, 202, wanted);
  let deployment = Deployment.parse(queued);
  while (deployment.status !== "live") {
    if (deployment.status === "failed") throw new Error(`${SLUG} does not deploy`);
    await pause(POLL_MS);
    deployment = Deployment.parse(await api("GET", `/v1/deployments/${deployment.id}`, 200));
  }
}

async function run({ api }: Product): Promise<string> {
  const done = Invocation.parse(await api("POST", `/a/${SLUG}/invoke`, 200, { input: "Ten." }));
  if (done.usage.model_calls !== 10) throw new Error(`${done.usage.model_calls} model calls`);
  return done.id;
}

async function again({ api }: Product, id: string): Promise<void> {
  const { verdict } = Replay.parse(await api("POST", `/v1/invocations/${id}/replay`, 200));
  if (verdict !== "equal") throw new Error(`the replay is ${verdict}`);
}

async function timed<T>(work: () => Promise<T>): Promise<readonly [ms: number, made: T]> {
  const startMs = performance.now();
  const made = await work();
  return [performance.now() - startMs, made];
}
