/**
 * The console's pages about work, as an operator uses them: a real Chromium at 360 px, the real
 * platform, a far side that counts.
 *
 * Skipped where there is no Chromium; with CI=true or BERTH_REQUIRE_BROWSER=1 that is a failure.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { Invocation } from "../../core/invocations/contract.ts";
import { findChromium, HOW_TO_GET_CHROMIUM } from "../../tools/chromium.ts";
import { provisionDemo, type Demo } from "../../tools/demo.ts";
import { exchangeWith } from "../../tools/exchange.ts";
import { audit, launch, openPage, type WatchedPage } from "../fixtures/browser.ts";
import { startHttpServer, type HttpServer } from "../fixtures/http-server.ts";
import { startPlatform, type Platform } from "../fixtures/platform.ts";

const chromium = findChromium();
const required = process.env["CI"] === "true" || process.env["BERTH_REQUIRE_BROWSER"] === "1";

/** What the page has to ask, and what it is refused on purpose. */
const EXPECTED = /(401|402|403|404|422) /;

describe.skipIf(chromium === undefined && !required)("the console's pages about work", () => {
  let stateDir = "";
  let browser: Browser;
  let platform: Platform;
  let demo: Demo;
  let far: HttpServer;
  const opened: WatchedPage[] = [];

  beforeAll(async () => {
    if (chromium === undefined) throw new Error(HOW_TO_GET_CHROMIUM);
    stateDir = await mkdtemp(join(tmpdir(), "berth-work-"));
    far = await startHttpServer();
    const vars = { EGRESS_ALLOW: `127.0.0.1:${far.port}` };
    platform = await startPlatform({ stateDir, console: true, vars });
    const { port, platformKey } = platform;
    demo = await provisionDemo({ port, baseDomain: `localhost:${port}`, platformKey, stateDir });
    await deploy();
    browser = await launch(chromium);
  });

  afterEach(async () => {
    for (const watched of opened.splice(0)) {
      await watched.close();
      if (watched.trouble.length > 0) throw new Error(watched.trouble.join("\n"));
    }
  });

  afterAll(async () => {
    await browser?.close();
    await platform?.stop();
    await far?.close();
    await rm(stateDir, { recursive: true, force: true });
  });

  async function send(path: string, body?: unknown, headers = {}) {
    return exchangeWith(platform.port)(new URL(demo.origin).host, path, {
      method: body === undefined ? "GET" : "POST",
      headers: { authorization: `Bearer ${demo.key}`, ...headers },
      body,
    });
  }

  async function api<T>(path: string, body?: unknown, headers = {}): Promise<T> {
    const answer = await send(path, body, headers);
    expect(answer.status).toBeLessThan(300);
    return answer.body as T; // our own server's
  }

  /** Bodies of the refunds that reached the far side. */
  function refunds(): readonly unknown[] {
    return far.requests.map(({ body }): unknown => JSON.parse(body));
  }

  /** An agent whose refunds wait for people, and that remembers. */
  async function deploy(): Promise<void> {
    const refund = {
      kind: "http",
      name: "refund",
      description: "Gives money back.",
      method: "POST",
      url: `${far.url}/refunds`,
      approval: {},
    };
    const spec = { kind: "llm", instructions: "Refunds.", memory: {}, tools: [refund] };
    await api("/v1/agents", { slug: "desk", name: "Desk", spec });
    await api("/v1/agents/desk/publish", {}, { "if-match": '"1"' });
    await api("/v1/agents/desk/deployments", { version: 1, environment: "prod" });
    const live = async () =>
      (await api<{ readonly live: { readonly prod?: number } }>("/v1/agents/desk")).live.prod;
    await vi.waitFor(async () => expect(await live()).toBe(1), { timeout: 20_000, interval: 100 });
  }

  const invoke = (input: string, headers = {}) =>
    api<Invocation>("/a/desk/invoke", { input }, headers);

  /** A page for the holder of the tenant's first key, at 360 px. */
  async function visit(path: string): Promise<Page> {
    const options = { viewport: { width: 360, height: 740 } };
    const watched = await openPage(browser, demo.origin, options, EXPECTED);
    opened.push(watched);
    const { page } = watched;
    await page.goto(demo.origin + path);
    await page.getByRole("button", { name: "Use an API key" }).click();
    await page.getByLabel("API key").fill(demo.key);
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Sign out" }).waitFor();
    return page;
  }

  it("F67, K9: what is asked is seen, changed, approved, and called as approved", async () => {
    // Nobody decides about a run of their own.
    const json = { name: "caller", scopes: ["agents:invoke"] };
    const { secret } = await api<{ readonly secret: string }>("/v1/keys", json);
    const asked = await invoke('/refund {"order":"A-17","amount":12.5}', {
      authorization: `Bearer ${secret}`,
    });
    expect(asked.status).toBe("waiting");
    const page = await visit("/console/work");
    await page.getByRole("link", { name: "refund" }).first().click();
    await page.getByRole("heading", { name: "Call refund?" }).waitFor();
    expect(await audit(page)).toEqual([]);
    await page.getByLabel("Call it with").fill("no JSON");
    await page.getByRole("button", { name: "Approve" }).click();
    await page.getByRole("alert").waitFor();
    expect(refunds()).toEqual([]);
    await page.getByLabel("Call it with").fill('{"order":"A-17","amount":10}');
    await page.getByRole("button", { name: "Approve" }).click();
    await page.getByRole("heading", { name: "Approvals" }).waitFor();
    const ended = async () => (await api<Invocation>(`/v1/invocations/${asked.id}`)).status;
    await expect.poll(ended, { timeout: 20_000 }).toBe("succeeded");
    expect(refunds()).toEqual([{ order: "A-17", amount: 10 }]);
  });

  it("K3, K13: a run is replayed, forked, compared, and has a receipt", async () => {
    const first = await invoke("What do you know about refunds?");
    const page = await visit(`/console/invocations/${first.id}`);
    await page.getByRole("button", { name: "Replay" }).click();
    await page.getByText("Equal.").waitFor();
    await page.getByText("Receipt").click();
    await page.getByText("Download the receipt").waitFor();
    expect(await audit(page)).toEqual([]);
    await page.getByRole("button", { name: "Fork" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Input").fill("What do you know about harbours?");
    await dialog.getByRole("button", { name: "Run the fork" }).click();
    await page.getByRole("link", { name: "Compare" }).click();
    await page.getByRole("heading", { name: "Two runs compared" }).waitFor();
    await page.getByText("What do you know about harbours?").first().waitFor();
    expect(await audit(page)).toEqual([]);
  });

  it("F176, K5: a budget is set, and a switch stops all and is lifted", async () => {
    const page = await visit("/console/work/budgets");
    await page.getByRole("button", { name: "New budget" }).click();
    await page.getByLabel("US dollars").fill("2.50");
    await page.getByRole("button", { name: "Set the budget" }).click();
    await page.getByText("$2.50 a month").waitFor();
    await page.getByRole("button", { name: "Throw one" }).click();
    await page.getByLabel("Reason").fill("Looking into it");
    await page.getByRole("button", { name: "Stop it now" }).click();
    await page.getByText("Looking into it").waitFor();
    expect(await audit(page)).toEqual([]);
    const status = async () => (await send("/a/desk/invoke", { input: "Hello" })).status;
    expect(await status()).toBe(403);
    await page.getByRole("button", { name: /^Lift/ }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Lift" }).click();
    await expect.poll(status, { timeout: 10_000 }).toBe(200);
  });

  it("F77: a schedule shows its times before it is made, and runs at a press", async () => {
    const page = await visit("/console/work/schedules");
    await page.getByRole("button", { name: "New schedule" }).click();
    await page.getByLabel("Name").fill("Morning");
    await page.getByLabel("Agent").selectOption("desk");
    await page.getByLabel("Cron").fill("0 9 * * 1-5");
    await page.getByLabel("Time zone").fill("Europe/Berlin");
    await page.getByRole("button", { name: "Preview" }).click();
    await expect.poll(() => page.locator(".times li").count()).toBe(5);
    await page.getByLabel("What it is asked").fill("What is new?");
    await page.getByRole("button", { name: "Make the schedule" }).click();
    await page.getByRole("link", { name: "Morning" }).click();
    await page.getByRole("heading", { name: "Morning" }).waitFor();
    expect(await audit(page)).toEqual([]);
    await page.getByRole("button", { name: "Run now" }).click();
    await page.getByRole("heading", { name: "Invocation" }).waitFor();
    await page.getByText("What is new?").first().waitFor();
  });

  it("K14: an agent is told something, recalls it with why, and forgets its subject", async () => {
    const page = await visit("/console/work/memories/desk@prod");
    await page.getByRole("button", { name: "Tell it something" }).click();
    await page.getByLabel("What is true").fill("Ada prefers refunds to her card.");
    await page.getByLabel("About", { exact: true }).fill("ada");
    await page.getByRole("button", { name: "Remember" }).click();
    await page.getByText("Ada prefers refunds to her card.").waitFor();
    await page.getByLabel("What would it recall for").fill("refunds for Ada");
    await page.getByRole("button", { name: "Search" }).click();
    await page.getByText(/words: /).waitFor();
    expect(await audit(page)).toEqual([]);
    await page.getByLabel("Subject").fill("ada");
    await page.getByRole("button", { name: "Forget a subject" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Forget" }).click();
    await page.getByText(/Forgotten: 1 items/).waitFor();
  });

  it("F174: an agent is paused, keeps what comes, and does it when it is resumed", async () => {
    const page = await visit("/console/agents/desk/health");
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByText("what comes is accepted and kept").waitFor();
    expect(await audit(page)).toEqual([]);
    const kept = await send("/a/desk/invoke", { input: "Are you there?" });
    expect(kept.status).toBe(202);
    await page.getByRole("button", { name: "Resume" }).click();
    await page.getByRole("button", { name: "Pause" }).waitFor();
    const { id } = kept.body as Invocation; // our own server's
    const status = async () => (await api<Invocation>(`/v1/invocations/${id}`)).status;
    await expect.poll(status, { timeout: 20_000 }).toBe("succeeded");
  });

  it("F103, F104: how long content is kept, and that it is sealed, is set and stays", async () => {
    const page = await visit("/console/settings/tenant");
    await page.getByLabel("Journals").fill("30");
    await page.getByLabel(/^Seal content/).check();
    await page
      .locator("form", { hasText: "What is kept" })
      .getByRole("button", { name: "Save" })
      .click();
    await expect
      .poll(() => api("/v1/tenant/content"))
      .toMatchObject({ sealing: true, retention: { journals_days: 30, requests_days: null } });
    expect(await audit(page)).toEqual([]);
  });
});
