/** What it costs to be one of many: a warm invocation beside 10,000 keys and 1,000 tenants. */
import type { Effort } from "../effort.ts";
import { Callers } from "../load.ts";
import type { Target } from "../load.ts";
import type { Row } from "../report.ts";
import { medianRatio, quantile } from "../statistics.ts";
import { all, inTurns, perRound } from "../turns.ts";
import type { Product, World } from "../world.ts";
import { leastOf } from "./counted.ts";

const AGENT = "counted-stub";
const MANY = "identity-many";
const WARM_UP = 100;
/** Makers of keys and tenants at once. */
const MAKERS = 8;

export async function identity(world: World, effort: Effort): Promise<Row[]> {
  const few = await world.product("identity-few");
  const many = await world.product(MANY);
  try {
    await Promise.all([few.deploy([AGENT]), many.deploy([AGENT])]);
    await fill(many, effort);
    const ratio = await compared(few, many, effort);
    await Promise.all([few.server.stop(), many.server.stop()]);
    return [ratio, await countedAmongMany(world)];
  } finally {
    await Promise.all([few.server.stop(), many.server.stop()]);
  }
}

async function fill({ api, platform }: Product, { keys, tenants }: Effort): Promise<void> {
  await each(keys, (n) =>
    api("POST", "/v1/keys", 201, { name: `key ${n}`, scopes: ["agents:invoke"] }),
  );
  await each(tenants, (n) =>
    platform("POST", "/v1/tenants", 201, {
      slug: `tenant-${n}`,
      name: `Tenant ${n}`,
      admin: { email: `admin-${n}@bench.example`, name: "Bench" },
    }),
  );
}

async function each(count: number, make: (n: number) => Promise<unknown>): Promise<void> {
  const waiting = Array.from({ length: count }, (_, n) => n).values();
  const maker = async (): Promise<void> => {
    for (const n of waiting) await make(n);
  };
  await Promise.all(Array.from({ length: MAKERS }, maker));
}

async function compared(few: Product, many: Product, effort: Effort): Promise<Row> {
  const callers = new Callers(1);
  const products = [few, many];
  const calls = async (target: Target, count: number): Promise<number[]> => {
    const times: number[] = [];
    for (let call = 0; call < count; call += 1) times.push(await callers.call(target));
    return times;
  };
  for (const product of products) await calls(product.target(AGENT), WARM_UP);
  const samples = await inTurns(
    effort.rounds,
    products.map((product) => () => calls(product.target(AGENT), effort.calls)),
    async () => {
      await Promise.all(products.map(({ server }) => server.quiet()));
    },
  );
  callers.close();
  return {
    id: "identity.among_many",
    what: `invocation beside ${effort.keys} keys, ${effort.tenants} tenants, p50`,
    unit: "ms",
    product: quantile(all(samples, 1), 0.5),
    base: quantile(all(samples, 0), 0.5),
    ratio: medianRatio(perRound(samples, 1), perRound(samples, 0)),
    goal: { kind: "max", bound: 1.1 },
  };
}

/** The same state once more, counting and not timed. */
async function countedAmongMany(world: World): Promise<Row> {
  const product = await world.product(MANY, { counting: true });
  try {
    const counters = await leastOf(product);
    return {
      id: "identity.d1_queries",
      what: "D1 queries per invocation beside many keys and tenants",
      unit: "",
      product: counters?.d1_queries ?? null,
      goal: { kind: "max", bound: 0 },
      ...(counters === undefined ? { note: "the server has no /__counters" } : {}),
    };
  } finally {
    await product.server.stop();
  }
}
