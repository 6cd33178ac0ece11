/** Kill -9 of the whole group with work in flight, then start: how long until all is terminal. */
import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import { Invocation, InvocationStatus, terminal } from "../../core/invocations/contract.ts";
import type { Effort } from "../effort.ts";
import { exchangeWith } from "../../tools/exchange.ts";
import type { Row } from "../report.ts";
import type { Product, World } from "../world.ts";

/** Long enough that all are accepted and none is done at the kill. */
const AGENTS = Array.from({ length: 10 }, (_, at) => `killed-${at}-stub-3000`);
const POLL_MS = 20;

const Page = z.object({
  data: z.array(z.object({ id: z.string(), status: InvocationStatus })),
  next_cursor: z.string().nullable(),
});

export async function recovery(world: World, effort: Effort): Promise<Row[]> {
  const called = await once(world, effort.inFlight, untilTerminal);
  const alone = await once(world, effort.inFlight, untilListed);
  const row = (id: string, what: string, ms: number, note?: string): Row => ({
    id: `recovery.${id}`,
    what: `kill -9, ${effort.inFlight} in flight: ${what}`,
    unit: "s",
    product: ms / 1000,
    ...(note === undefined ? {} : { note }),
  });
  const lost = called.lost + alone.lost;
  return [
    row("ready", "serving again", called.readyMs),
    row("called", "all terminal, callers asking", called.doneMs, `3 s of it is the model`),
    row("alone", "all terminal, nobody calling", alone.doneMs, `not succeeded: ${lost}`),
  ];
}

type Recovered = { readonly readyMs: number; readonly doneMs: number; readonly lost: number };
type Ends = readonly Invocation["status"][];

async function once(
  world: World,
  inFlight: number,
  until: (product: Product, ids: readonly string[]) => Promise<Ends>,
): Promise<Recovered> {
  const first = await world.product("killed");
  if ((await liveAgents(first)) === 0) await first.deploy(AGENTS);
  const ids = await acceptAll(first, inFlight);
  await first.server.kill();
  const startMs = performance.now();
  const second = await world.product("killed");
  const readyMs = performance.now() - startMs;
  const ends = await until(second, ids);
  const doneMs = performance.now() - startMs;
  await second.server.stop();
  return { readyMs, doneMs, lost: ends.filter((status) => status !== "succeeded").length };
}

async function liveAgents(product: Product): Promise<number> {
  const agents = z.object({ data: z.array(z.unknown()) });
  return agents.parse(await product.api("GET", "/v1/agents?limit=1", 200)).data.length;
}

async function acceptAll(product: Product, count: number): Promise<readonly string[]> {
  const accept = async (_: unknown, at: number): Promise<string> => {
    const target = product.target(AGENTS[at % AGENTS.length] ?? "");
    const headers = { ...target.headers, prefer: "respond-async" };
    const { status, body } = await exchangeWith(target.port)(target.host ?? "", target.path, {
      method: "POST",
      headers,
      body: JSON.parse(target.body()),
    });
    if (status !== 202) throw new Error(`not accepted: ${status} ${JSON.stringify(body)}`);
    return Invocation.parse(body).id;
  };
  return Promise.all(Array.from({ length: count }, accept));
}

/** One caller per agent, as those would ask who waited when it died. */
async function untilTerminal(product: Product, ids: readonly string[]): Promise<Ends> {
  const ask = async (id: string): Promise<Invocation["status"]> => {
    for (;;) {
      const found = Invocation.parse(await product.api("GET", `/v1/invocations/${id}`, 200));
      if (terminal(found.status)) return found.status;
      await pause(POLL_MS);
    }
  };
  await Promise.all(ids.slice(-AGENTS.length).map(ask));
  const ends: Invocation["status"][] = [];
  for (const id of ids) ends.push(await ask(id));
  return ends;
}

/** By the control plane's listing, which wakes no object. */
async function untilListed(product: Product, ids: readonly string[]): Promise<Ends> {
  const waiting = new Set(ids);
  const ends: Invocation["status"][] = [];
  while (waiting.size > 0) {
    await pause(10 * POLL_MS);
    for (const { id, status } of await newest(product, ids.length)) {
      if (waiting.delete(id)) ends.push(status);
    }
  }
  return ends;
}

async function newest(
  product: Product,
  count: number,
): Promise<readonly { readonly id: string; readonly status: Invocation["status"] }[]> {
  const found: z.infer<typeof Page>["data"] = [];
  let cursor: string | null = "";
  while (cursor !== null && found.length < 2 * count) {
    const from: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const page: z.infer<typeof Page> = Page.parse(
      await product.api("GET", `/v1/invocations?limit=100${from}`, 200),
    );
    found.push(...page.data);
    cursor = page.next_cursor;
  }
  return found;
}
