import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startModelServer, type ModelServer } from "../../tests/fixtures/model-server.ts";
import { EgressFailure } from "./contract.ts";
import { egressFetch } from "./fetch.ts";

let server: ModelServer;
beforeAll(async () => {
  server = await startModelServer();
});
afterAll(async () => {
  await server.close();
});
beforeEach(() => {
  server.log.clear();
});

const allow = (): readonly string[] => [`127.0.0.1:${server.port}`];

function ask(model: string, stream = false): RequestInit {
  return { method: "POST", body: JSON.stringify({ model, stream, messages: [] }) };
}

describe("F194: egress fetch", () => {
  it("sends nothing to an address the rule refuses", async () => {
    const sent: unknown[] = [];
    const guarded = egressFetch(
      async (url) => {
        sent.push(url);
        return new Response("");
      },
      { allow: allow(), ownHosts: [] },
    );
    await expect(guarded("http://127.0.0.1:1/")).rejects.toThrow(EgressFailure);
    await expect(guarded("https://169.254.169.254/")).rejects.toMatchObject({ reason: "refused" });
    expect(sent).toEqual([]);
  });

  it("does not follow a redirect, wherever it points", async () => {
    const guarded = egressFetch(fetch, { allow: allow(), ownHosts: [] });
    const answer = guarded(`${server.url}/chat/completions`, ask("redirect"));
    await expect(answer).rejects.toMatchObject({ reason: "redirect" });
    expect(server.requests).toHaveLength(1);
  });

  it("does not even follow one when the caller asks for it", async () => {
    const guarded = egressFetch(fetch, { allow: allow(), ownHosts: [] });
    const init = { ...ask("redirect"), redirect: "follow" } as const;
    await expect(guarded(`${server.url}/chat/completions`, init)).rejects.toThrow(EgressFailure);
  });

  it("stops reading at the cap, declared or not", async () => {
    const guarded = egressFetch(fetch, { allow: allow(), ownHosts: [] }, { maxBytes: 1000 });
    const undeclared = await guarded(`${server.url}/chat/completions`, ask("huge-24"));
    await expect(undeclared.text()).rejects.toMatchObject({ reason: "too_large" });
    await server.log.wait(1, { state: "aborted" });
    const declared = egressFetch(
      async () => new Response("x".repeat(1001), { headers: { "content-length": "1001" } }),
      { allow: allow(), ownHosts: [] },
      { maxBytes: 1000 },
    );
    await expect(declared("https://a.example/")).rejects.toMatchObject({ reason: "too_large" });
  });

  it("does not believe the declared size of a compressed answer", async () => {
    const guarded = egressFetch(
      async () =>
        new Response("x".repeat(5000), {
          headers: { "content-length": "10", "content-encoding": "gzip" },
        }),
      { allow: [], ownHosts: [] },
      { maxBytes: 1000 },
    );
    const answer = await guarded("https://a.example/");
    await expect(answer.text()).rejects.toMatchObject({ reason: "too_large" });
  });

  it("gives an event stream its own cap", async () => {
    const guarded = egressFetch(
      fetch,
      { allow: allow(), ownHosts: [] },
      { maxBytes: 100, maxStreamBytes: 10_000 },
    );
    const answer = await guarded(`${server.url}/chat/completions`, ask("stream-5", true));
    expect(await answer.text()).toContain("[DONE]");
  });
});
