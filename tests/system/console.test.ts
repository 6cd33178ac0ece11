/**
 * The console as a person uses it: a real Chromium, the real platform, by keyboard, at 360 px.
 *
 * Skipped where there is no Chromium; with CI=true or BERTH_REQUIRE_BROWSER=1 that is a failure.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { findChromium, HOW_TO_GET_CHROMIUM } from "../../tools/chromium.ts";
import { provisionDemo, type Demo } from "../../tools/demo.ts";
import { audit, launch, openPage, type WatchedPage } from "../fixtures/browser.ts";
import { startModelServer, type ModelServer } from "../fixtures/model-server.ts";
import { startPlatform, type Platform } from "../fixtures/platform.ts";
import { addStubAgent } from "../fixtures/stub-agent.ts";

const chromium = findChromium();
const required = process.env["CI"] === "true" || process.env["BERTH_REQUIRE_BROWSER"] === "1";

const PHONE: BrowserContextOptions = { viewport: { width: 360, height: 740 } };
const DESK: BrowserContextOptions = { viewport: { width: 1440, height: 900 }, colorScheme: "dark" };

/** The browser's own line for "nobody is signed in", which the page has to ask. */
const SIGNED_OUT = /401 .*\/auth\/session$/;
const UNREACHED = /401 .*\/auth\/session$|ERR_(CONNECTION|INCOMPLETE|EMPTY|NETWORK)/;

describe.skipIf(chromium === undefined && !required)("the console", () => {
  let stateDir = "";
  let browser: Browser;
  let platform: Platform;
  let model: ModelServer;
  let demo: Demo;
  let vars: Readonly<Record<string, string>>;
  const open: WatchedPage[] = [];

  beforeAll(async () => {
    if (chromium === undefined) throw new Error(HOW_TO_GET_CHROMIUM);
    stateDir = await mkdtemp(join(tmpdir(), "berth-console-"));
    model = await startModelServer();
    vars = { EGRESS_ALLOW: `127.0.0.1:${model.port}` };
    platform = await startPlatform({ stateDir, vars, console: true });
    const { port, platformKey } = platform;
    demo = await provisionDemo({ port, baseDomain: `localhost:${port}`, platformKey, stateDir });
    const host = new URL(demo.origin).host;
    await addStubAgent({ port, host, key: demo.key, modelUrl: model.url });
    browser = await launch(chromium);
  });

  afterEach(async () => {
    for (const watched of open.splice(0)) await watched.close();
  });

  afterAll(async () => {
    await browser?.close();
    await platform?.stop();
    await model?.close();
    await rm(stateDir, { recursive: true, force: true });
  });

  async function visit(
    path: string,
    options = PHONE,
    expected = SIGNED_OUT,
  ): Promise<WatchedPage & { readonly page: Page }> {
    const watched = await openPage(browser, demo.origin, options, expected);
    open.push(watched);
    await watched.page.goto(demo.origin + path);
    return watched;
  }

  /** The sign-in form, asking for a key; its field has the focus. */
  async function byKey(page: Page): Promise<void> {
    const key = page.getByLabel("API key");
    const choose = page.getByRole("button", { name: "Use an API key" });
    await choose.or(key).first().waitFor();
    if (!(await key.isVisible())) await choose.press("Enter");
    await key.and(page.locator(":focus")).waitFor();
  }

  /** As somebody with a keyboard does it: the field has the focus already. */
  async function signIn(page: Page): Promise<void> {
    await byKey(page);
    await page.keyboard.type(demo.key);
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Sign out" }).waitFor();
  }

  async function say(page: Page, text: string): Promise<void> {
    await page.getByRole("textbox").and(page.locator(":focus")).waitFor();
    await page.keyboard.type(text);
    await page.keyboard.press("Enter");
  }

  /** Wait for the one turn on the page to stand there. */
  async function status(page: Page, name: string): Promise<void> {
    await page.locator(".turn .status", { hasText: name }).waitFor();
  }

  /** Tab until the wanted thing has the focus, and see that every stop on the way shows it. */
  async function tabTo(page: Page, wanted: string): Promise<void> {
    for (let stops = 0; stops < 60; stops += 1) {
      await page.keyboard.press("Tab");
      expect(await page.evaluate(FOCUS_VISIBLE)).toBe(true);
      if (await page.evaluate(`document.activeElement.matches(${JSON.stringify(wanted)})`)) return;
    }
    throw new Error(`no ${wanted} in 60 stops of the Tab key`);
  }

  it("signs in with a key that is kept nowhere, and out again", async () => {
    const { page, trouble } = await visit("/console");
    await byKey(page);
    await page.keyboard.type("berth_live_nonsense");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").waitFor();
    expect(await audit(page)).toEqual([]);

    await signIn(page);
    await page.getByRole("heading", { name: "Agents" }).waitFor();
    await page.getByRole("link", { name: "Support" }).waitFor();
    expect(await page.evaluate(KEPT)).toEqual({ stored: 0, cookies: "", databases: 0 });
    expect(await page.content()).not.toContain(demo.key);
    const cookies = await page.context().cookies();
    expect(cookies.map(({ httpOnly, sameSite }) => [httpOnly, sameSite])).toEqual([[true, "Lax"]]);
    expect(JSON.stringify(cookies)).not.toContain(demo.key.slice(-20));
    expect(await audit(page)).toEqual([]);

    await page.getByRole("button", { name: "Sign out" }).press("Enter");
    await page.getByLabel("E-mail").waitFor();
    await page.reload();
    await byKey(page);
    expect(await page.context().cookies()).toEqual([]);
    expect(trouble).toEqual([]);
  });

  it("F188: talks by keyboard at 360 px, with sources and a tool call shown", async () => {
    const { page, trouble } = await visit("/");
    await signIn(page);
    await tabTo(page, "a[href='/console/agents/support']");
    await page.keyboard.press("Enter");
    await say(page, "How long do I have to send a jacket back?");
    const turn = page.getByRole("list", { name: "Turns" }).locator("> li");
    await turn.nth(0).getByText("succeeded").waitFor();
    expect(await turn.nth(0).locator(".prose").textContent()).toContain("30 days");
    await tabTo(page, ".sources summary");
    await page.keyboard.press("Enter");
    expect(await turn.nth(0).locator(".sources blockquote").textContent()).toContain("30 days");

    await page.getByRole("textbox").focus();
    await say(page, "/clock");
    await turn.nth(1).getByText("succeeded").waitFor();
    expect(await turn.nth(1).locator(".tool summary").textContent()).toMatch(/clock.*returned/);
    await turn.nth(1).locator(".tool summary").press("Enter");
    expect(await turn.nth(1).locator(".tool pre").last().textContent()).toContain("utc");
    expect(await page.locator("[aria-live]").textContent()).toContain("Support: clock answered");
    expect(await audit(page)).toEqual([]);

    await page.reload();
    await turn.nth(1).getByText("succeeded").waitFor();
    expect(await turn.count()).toBe(2);
    expect(trouble).toEqual([]);
  });

  it("shows words as they come, and stops the model when told to", async () => {
    const { page, trouble } = await visit("/a/stub", DESK);
    await signIn(page);
    await say(page, "[[hang-midstream]]");
    await page.locator(".prose", { hasText: "word0 word1" }).waitFor();
    expect(model.log.find({ state: "open" })).toHaveLength(1);
    expect(await page.evaluate("document.getAnimations().length")).toBeGreaterThan(0);
    await page.emulateMedia({ reducedMotion: "reduce" });
    expect(await page.evaluate("document.getAnimations().length")).toBe(0);
    await page.keyboard.type("half a");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("thought");
    await page.keyboard.press("Escape");
    await status(page, "cancelled");
    await model.log.wait(1, { state: "aborted" });
    expect(await page.getByRole("textbox").inputValue()).toBe("half a\nthought");
    expect(await audit(page)).toEqual([]);
    expect(trouble).toEqual([]);
  });

  it("shows an invocation with its steps, and retries it", async () => {
    const { page, trouble } = await visit("/console/agents/support");
    await signIn(page);
    await say(page, "/clock");
    await status(page, "succeeded");
    await page.getByRole("link", { name: "Invocations" }).press("Enter");
    await page.getByRole("heading", { name: "Support" }).and(page.locator(":focus")).waitFor();
    expect(await audit(page)).toEqual([]);
    await page.locator(".invocations tbody a").first().press("Enter");
    const steps = page.locator(".steps > li");
    await steps.first().waitFor();
    await page.getByText("/clock").first().waitFor();
    expect(await steps.locator(".name").allTextContents()).toEqual([
      "local/extract",
      "clock",
      "local/extract",
    ]);
    await steps.nth(1).locator("summary").press("Enter");
    expect(await steps.nth(1).locator("pre").last().textContent()).toContain("utc");
    const facts = await page.locator(".facts").textContent();
    expect(facts).toMatch(/succeeded.*Took\d+ ms.*Tokens\d+ in, \d+ out.*Cost\$0/);
    expect(await audit(page)).toEqual([]);

    const before = page.url();
    await page.getByRole("button", { name: "Retry" }).press("Enter");
    await page.getByText("Re-drive of").waitFor();
    await page.locator(".facts").getByText("succeeded").waitFor();
    expect(page.url()).not.toBe(before);
    expect(trouble).toEqual([]);
  });

  it("cancels a running invocation from its own page", async () => {
    const { page, trouble } = await visit("/console/agents/stub", DESK);
    await signIn(page);
    await say(page, "[[hold]] the line");
    await page.getByRole("link", { name: "Steps" }).press("Enter");
    await page.locator(".facts").getByText("running").waitFor();
    await page.getByRole("button", { name: "Cancel" }).press("Enter");
    await page.locator(".facts").getByText("cancelled").waitFor();
    await page.getByRole("button", { name: "Retry" }).waitFor();
    expect(await audit(page)).toEqual([]);
    model.log.release();
    expect(trouble).toEqual([]);
  });

  it("puts refusals in words", async () => {
    const expected = /status of (401|404)/;
    const { page, trouble } = await visit("/console/agents/nobody", PHONE, expected);
    await signIn(page);
    await page.getByRole("alert").getByText("No such resource").waitFor();
    expect(await audit(page)).toEqual([]);
    await page.goto(`${demo.origin}/console/agents/stub`);
    await say(page, "[[unknown-model]]");
    await page.locator(".turn .problem").waitFor();
    await status(page, "failed");
    expect(await audit(page)).toEqual([]);
    expect(trouble).toEqual([]);
  });

  it("follows an answer on through a server that is killed in its middle", async () => {
    const { page, trouble } = await visit("/console/agents/stub", DESK, UNREACHED);
    await signIn(page);
    await say(page, "[[hang-midstream]]");
    await page.locator(".prose", { hasText: "word0" }).waitFor();
    const { port } = platform;
    const asked = model.requests.length;
    await platform.kill();
    await page.getByText("reconnecting").first().waitFor();
    platform = await startPlatform({ stateDir, vars, port, console: true });
    await page.getByText("reconnecting").first().waitFor({ state: "detached" });
    await model.log.wait(asked + 1);
    await page.getByRole("button", { name: "Stop" }).press("Enter");
    await status(page, "cancelled");
    expect((await page.locator(".turns").textContent())?.match(/word0/g)).toHaveLength(1);
    expect(trouble).toEqual([]);
  });
});

/** True when what has the focus is ringed, itself or by what holds it. */
const FOCUS_VISIBLE = `(() => {
  for (let at = document.activeElement; at !== null && at !== document.body; at = at.parentElement) {
    for (const part of [undefined, "::after"]) {
      const { outlineStyle, outlineWidth } = getComputedStyle(at, part);
      if (outlineStyle !== "none" && parseFloat(outlineWidth) > 0) return true;
    }
  }
  return document.activeElement === document.body;
})()`;

/** What a script could read back of a sign-in. */
const KEPT = `indexedDB.databases().then((databases) => ({
  stored: localStorage.length + sessionStorage.length,
  cookies: document.cookie,
  databases: databases.length,
}))`;
