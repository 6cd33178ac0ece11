/** A tenant moves: out of one platform as one file, into another, and is what it was. */
import { applyD1Migrations, reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { liveAgent } from "../fixtures/agent-runs.ts";
import { exportOf, importFile, setStatus } from "../fixtures/moving.ts";
import { type TestTenant, newWorld } from "../fixtures/world.ts";

const PASSPHRASE = "correct horse battery staple";

let acme: TestTenant;

beforeEach(async () => {
  ({ acme } = await newWorld());
});

/** Another platform: none of the rows and none of the objects, but the same configuration. */
async function elsewhere(): Promise<void> {
  await reset();
  await applyD1Migrations(env.DB, env.TEST_MIGRATIONS);
}

describe("F15: a tenant moves", { timeout: 60_000 }, () => {
  it("F15: export, import, export: the same bytes, secrets and all", async () => {
    const base_url = `http://127.0.0.1:${env.TEST_MODEL_PORT}/v1`;
    const provider = { slug: "openai", kind: "openai", base_url, api_key: "sk-canary-0123" };
    await acme.json("/v1/providers", 201, { json: provider });
    const agent = await liveAgent(acme, "support");
    const first = await agent.ask("Grüße 👋 from Bremen");
    const long = "ß".repeat(350_000);
    const second = await agent.ask(long, { body: { session_id: first.session_id } });
    await setStatus(acme, "suspend");
    const out = await exportOf(acme, { json: { passphrase: PASSPHRASE } });
    expect(out).not.toContain("sk-canary");
    await elsewhere();
    const key = JSON.stringify({ passphrase: PASSPHRASE });
    const arrived = await importFile(`${key}\n${out}`);
    expect([arrived.status, await arrived.json()]).toMatchObject([
      201,
      { tenant: { id: acme.id } },
    ]);
    expect(await exportOf(acme, { json: { passphrase: PASSPHRASE } })).toBe(out);
    await setStatus(acme, "reactivate");
    expect(await agent.get(second.id)).toEqual(second);
    const third = await agent.ask("And now?", { body: { session_id: first.session_id } });
    expect(third.status).toBe("succeeded");
  });
});
