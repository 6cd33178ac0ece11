/** Invocations for a long while with retention on: neither time nor storage grows with what is past. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { exchangeWith } from "../../tools/exchange.ts";
import type { Effort } from "../effort.ts";
import { Callers, type Target } from "../load.ts";
import type { Row } from "../report.ts";
import type { World } from "../world.ts";

const AGENT = "soaked-stub";
const TENTHS = 10;
const CALLERS = 16;

export async function soak(world: World, effort: Effort): Promise<Row[]> {
  const product = await world.product("soak");
  await product.deploy([AGENT]);
  const target = product.target(AGENT);
  await keepNothing(target);
  const callers = new Callers(CALLERS);
  const times: number[] = [];
  const sizes: number[] = [];
  for (let tenth = 0; tenth < TENTHS; tenth += 1) {
    const calls = Array.from({ length: effort.soaked / TENTHS }, () => target);
    const startMs = performance.now();
    await callers.each(calls);
    times.push(performance.now() - startMs);
    await product.server.quiet();
    sizes.push(sizeBytes(world.stateOf("soak")));
  }
  callers.close();
  await product.server.stop();
  return [
    row("time", `soak of ${effort.soaked}: a tenth of the calls`, "s", times, 1000),
    row("storage", `soak of ${effort.soaked}: objects' storage`, "MB", sizes, 1e6),
  ];
}

/** The last tenth against the second: the first one fills what is then used again. */
function row(
  id: string,
  what: string,
  unit: Row["unit"],
  tenths: readonly number[],
  per: number,
): Row {
  const [last = Number.NaN, second = Number.NaN] = [tenths.at(-1), tenths[1]];
  return {
    id: `soak.${id}`,
    what,
    unit,
    product: last / per,
    base: second / per,
    ratio: last / second,
    goal: { kind: "max", bound: 1.1 },
    note: "base: the second tenth",
  };
}

const Policy = z.object({ revision: z.number() });

/** Content goes as soon as the ledger has it. */
async function keepNothing({ port, host = "", headers = {} }: Target): Promise<void> {
  const exchange = exchangeWith(port);
  const path = "/v1/tenant/content";
  const { revision } = Policy.parse((await exchange(host, path, { headers })).body);
  const { status } = await exchange(host, path, {
    method: "PATCH",
    headers: { ...headers, "if-match": `"${revision}"` },
    body: { retention: { requests_days: 0 } },
  });
  if (status !== 200) throw new Error(`the policy was answered ${status}`);
}

/** What the agents' objects take on disk, without their logs of what is not merged yet. */
function sizeBytes(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path.includes("AgentRuntime") && path.endsWith(".sqlite"))
    .reduce((sum, path) => sum + statSync(join(folder, path)).size, 0);
}
