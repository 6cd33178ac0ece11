/** A search over all an agent knows, beside the bare SQL and cosine over the same texts. */
import type { Effort } from "../effort.ts";
import { Callers, type Target } from "../load.ts";
import type { Row } from "../report.ts";
import { median, medianRatio } from "../statistics.ts";
import { all, inTurns, perRound } from "../turns.ts";
import type { World } from "../world.ts";

/** Its name says that it has a memory (../product.ts). */
const AGENT = "recall-stub";
const WORDS = 2000;
const WORDS_OF_ONE = 12;
/** Passages of one document, and texts of one call to the floor. */
const AT_ONCE = 2500;
const CALLS = 10;

export async function recall(world: World, effort: Effort): Promise<Row[]> {
  const [floor, product] = [await world.floor("recall"), await world.product("recall")];
  const texts = Array.from({ length: effort.recalled }, (_, n) => sentence(n));
  const callers = new Callers(1);
  const bare = (path: string, body: () => object): Target => ({
    ...floor.target(AGENT),
    path: `/a/${AGENT}/${path}`,
    body: () => JSON.stringify(body()),
  });
  await product.deploy([AGENT]);
  for (let from = 0; from < texts.length; from += AT_ONCE) {
    const some = texts.slice(from, from + AT_ONCE);
    await callers.call(bare("fill", () => ({ texts: some })));
    // A heading for each: then each is a passage of its own.
    const text = some.map((it, n) => `# ${from + n}\n\n${it}`).join("\n\n");
    const document = { agent: AGENT, title: `Part ${from}`, media_type: "text/markdown", text };
    await product.api("POST", "/v1/knowledge", 201, document);
  }
  let asked = 0;
  const query = (): string =>
    sentence((asked += 7919))
      .split(" ")
      .slice(0, 5)
      .join(" ");
  const several = (target: Target) => async () => {
    const times: number[] = [];
    for (let call = 0; call < CALLS; call += 1) times.push(await callers.call(target));
    return times;
  };
  const search = {
    ...product.target(AGENT),
    path: "/v1/memories/search",
    body: () => JSON.stringify({ agent: AGENT, query: query() }),
  };
  const samples = await inTurns(effort.rounds, [
    several(bare("recall", () => ({ query: query() }))),
    several(search),
  ]);
  callers.close();
  await Promise.all([floor.server.stop(), product.server.stop()]);
  return [
    {
      id: "recall.search",
      what: `recall over ${texts.length} passages`,
      unit: "ms",
      product: median(all(samples, 1)),
      floor: median(all(samples, 0)),
      ratio: medianRatio(perRound(samples, 1), perRound(samples, 0)),
      goal: { kind: "max", bound: 2 },
      note: "floor: the bare SQL and cosine, in an object too",
    },
  ];
}

/** Words by number, some of them often: as texts have them. */
function sentence(seed: number): string {
  let state = (seed + 1) * 2654435761;
  return Array.from({ length: WORDS_OF_ONE }, () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    const share = (state >>> 8) / 2 ** 24;
    return `word${Math.floor(share * share * WORDS).toString(36)}`;
  }).join(" ");
}
