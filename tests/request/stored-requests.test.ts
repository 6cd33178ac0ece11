/** Stored requests of one agent, as others in the same tenant meet them. */
import { beforeAll, expect, it } from "vitest";
import { runtimeOf } from "../../workers/api/runtime.ts";
import { env } from "cloudflare:workers";
import { type TestAgent, liveAgent } from "../fixtures/agent-runs.ts";
import { type TestTenant, newKey, newWorld, shapeOf } from "../fixtures/world.ts";

let acme: TestTenant;
let mine: TestAgent;
let other: TestAgent;

beforeAll(async () => {
  ({ acme } = await newWorld());
  const spec = { model: "local/extract" };
  mine = await liveAgent(acme, "mine", spec);
  other = await liveAgent(acme, "other", spec);
});

it("F106: are in their agent's own database and in no other's", async () => {
  await mine.ask("word-of-mine");
  await other.ask("word-of-others");
  const stored = async (agent: TestAgent) =>
    JSON.stringify(await agent.rows("SELECT * FROM invocation"));
  expect(await stored(mine)).toContain("word-of-mine");
  expect(await stored(mine)).not.toContain("word-of-others");
  expect(await stored(other)).not.toContain("word-of-mine");
});

it("F106: answer to their agent's name alone, and to nobody narrowed to another", async () => {
  const { id } = await mine.ask("Whose is this?");
  const theirs = await runtimeOf(env, other.owner).get(other.owner, id);
  expect(theirs).toMatchObject({ ok: false, problem: { code: "not_found" } });
  expect(await runtimeOf(env, mine.owner).get(other.owner, id)).toMatchObject({ ok: false });
  const as = await newKey(acme, { agent: "other" });
  const missing = `${id.slice(0, -4)}0000`;
  for (const part of ["", "/steps", "/events"]) {
    const reached = await shapeOf(await acme.ask(`/v1/invocations/${id}${part}`, { as }));
    const missed = await shapeOf(await acme.ask(`/v1/invocations/${missing}${part}`, { as }));
    expect([part, reached.status]).toEqual([part, 404]);
    expect([part, reached]).toEqual([part, missed]);
  }
});
