/** A memory moves with its tenant, and ends with it. */
import { applyD1Migrations, reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import type { MemoryFound } from "../../core/memories/contract.ts";
import { liveAgent } from "../fixtures/agent-runs.ts";
import { exportOf, importFile, setStatus } from "../fixtures/moving.ts";
import { newWorld } from "../fixtures/world.ts";

it("F15: what an agent knows arrives where its tenant does, and is found by words and vectors", async () => {
  const { acme } = await newWorld();
  await liveAgent(acme, "knows", { model: "local/extract", memory: {} });
  const json = { agent: "knows", text: "The lighthouse is in Warnemünde.", subject: "tower" };
  const item = await acme.json("/v1/memories", 201, { json });
  const document = { agent: "knows", title: "Tides", text: "High water is at noon." };
  await acme.json("/v1/knowledge", 201, { json: document });
  const ask = { json: { input: "Where is the lighthouse?", session_id: "s" } };
  await acme.json("/a/knows/invoke", 200, ask);
  await setStatus(acme, "suspend");
  const out = await exportOf(acme, {});
  expect(out).not.toContain("passage_text");
  await reset();
  await applyD1Migrations(env.DB, env.TEST_MIGRATIONS);
  expect((await importFile(out)).status).toBe(201);
  expect(await exportOf(acme, {})).toBe(out);
  await setStatus(acme, "reactivate");
  expect(await acme.json(`/v1/memories/${String(item["id"])}`, 200)).toEqual(item);
  const search = async (query: string) =>
    (await acme.json<MemoryFound>("/v1/memories/search", 200, { json: { agent: "knows", query } }))
      .data[0];
  expect(await search("lighthouse")).toMatchObject({
    id: item["id"],
    why: { word_rank: 1, vector_rank: 1 },
  });
  expect(await search("high water")).toMatchObject({ kind: "document", title: "Tides" });
});
