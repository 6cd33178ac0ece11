/** What one plain invocation costs in things that are counted, not timed. */
import { z } from "zod";
import { Callers } from "../load.ts";
import type { Row } from "../report.ts";
import type { Product, World } from "../world.ts";
import { exchangeWith } from "../../tools/exchange.ts";

const AGENT = "counted-stub";
/** Fewer than a credential's five seconds hold. */
const CALLS = 200;
const TRIES = 5;

const Counters = z.object({
  rows_written: z.number(),
  object_calls: z.number(),
  d1_queries: z.number(),
  alarm_writes: z.number(),
});
type Counters = z.infer<typeof Counters>;

export async function counted(world: World): Promise<Row[]> {
  const product = await world.product("counted", { counting: true });
  try {
    if ((await read(product)) === undefined) return rowsOf(undefined);
    await product.deploy([AGENT]);
    return rowsOf(await leastOf(product));
  } finally {
    await product.server.stop();
  }
}

/**
 * Counters of `CALLS` invocations. The ledger's upkeep runs beside them and credentials are read
 * again every 5 s, so of several turns the one with the fewest D1 queries is the warm path.
 */
export async function leastOf(product: Product): Promise<Counters | undefined> {
  const callers = new Callers(1);
  const target = product.target(AGENT);
  for (let call = 0; call < CALLS; call += 1) await callers.call(target);
  let least: Counters | undefined;
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    for (let call = 0; call < 5; call += 1) await callers.call(target);
    const before = await read(product);
    for (let call = 0; call < CALLS; call += 1) await callers.call(target);
    const after = await read(product);
    if (before === undefined || after === undefined) break;
    const each = perCall(before, after);
    if (least === undefined || each.d1_queries < least.d1_queries) least = each;
  }
  callers.close();
  return least;
}

function perCall(before: Counters, after: Counters): Counters {
  const each = (name: keyof Counters) => (after[name] - before[name]) / CALLS;
  return {
    rows_written: each("rows_written"),
    object_calls: each("object_calls"),
    d1_queries: each("d1_queries"),
    alarm_writes: each("alarm_writes"),
  };
}

async function read(product: Product): Promise<Counters | undefined> {
  const { port } = product.server;
  const { status, body } = await exchangeWith(port)(`localhost:${port}`, "/__counters");
  return status === 200 ? Counters.parse(body) : undefined;
}

function rowsOf(counters: Counters | undefined): Row[] {
  const note = counters === undefined ? { note: "the server has no /__counters" } : {};
  const row = (id: string, what: string, product: number | undefined, bound: number): Row => ({
    id: `counted.${id}`,
    what: `${what} per invocation`,
    unit: "",
    product: product ?? null,
    goal: { kind: "max", bound },
    ...note,
  });
  const rows = counters && counters.rows_written + counters.alarm_writes;
  return [
    row("rows_written", "rows written", rows, 18),
    row("object_calls", "object calls", counters?.object_calls, 1),
    row("d1_queries", "D1 queries", counters?.d1_queries, 0),
  ];
}
