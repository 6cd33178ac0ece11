/**
 * The console's settings as a new tenant's administrator uses them: a real Chromium, the real
 * platform, the mail it really sends.
 *
 * Skipped where there is no Chromium; with CI=true or BERTH_REQUIRE_BROWSER=1 that is a failure.
 */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { findChromium, HOW_TO_GET_CHROMIUM } from "../../tools/chromium.ts";
import { provisionDemo, type Demo } from "../../tools/demo.ts";
import { audit, launch, openPage, type WatchedPage } from "../fixtures/browser.ts";
import { startPlatform, type Platform } from "../fixtures/platform.ts";

const chromium = findChromium();
const required = process.env["CI"] === "true" || process.env["BERTH_REQUIRE_BROWSER"] === "1";

/** What the page has to ask, and what it is refused on purpose. */
const EXPECTED = /(401|404|422) /;

describe.skipIf(chromium === undefined && !required)("the console's settings", () => {
  let stateDir = "";
  let browser: Browser;
  let platform: Platform;
  let demo: Demo;
  const opened: WatchedPage[] = [];

  beforeAll(async () => {
    if (chromium === undefined) throw new Error(HOW_TO_GET_CHROMIUM);
    stateDir = await mkdtemp(join(tmpdir(), "berth-settings-"));
    platform = await startPlatform({ stateDir, console: true });
    const { port, platformKey } = platform;
    demo = await provisionDemo({ port, baseDomain: `localhost:${port}`, platformKey, stateDir });
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
    await rm(stateDir, { recursive: true, force: true });
  });

  /** A browser that nobody is signed in with, at 360 px. */
  async function visit(path: string): Promise<Page> {
    const options = { viewport: { width: 360, height: 740 } };
    const watched = await openPage(browser, demo.origin, options, EXPECTED);
    opened.push(watched);
    await watched.page.goto(demo.origin + path);
    return watched.page;
  }

  /** A page of the settings, for the holder of the tenant's first key. */
  async function settings(name: string): Promise<Page> {
    const page = await visit(`/console/settings/${name}`);
    await page.getByRole("button", { name: "Use an API key" }).click();
    await page.getByLabel("API key").fill(demo.key);
    await page.keyboard.press("Enter");
    await page.getByRole("navigation", { name: "Settings" }).waitFor();
    return page;
  }

  /** The link of the last mail to this address, once it has come. */
  async function mailedLink(to: string): Promise<string> {
    const folder = join(stateDir, "mail");
    let link = "";
    const look = async () => {
      const names = await readdir(folder).catch(() => []);
      names.sort((a, b) => (a < b ? -1 : 1));
      const mails = await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")));
      const mail = mails.findLast((text) => text.includes(to)) ?? "";
      link = /http[^\s"\\]+#token=[\w-]+/.exec(mail)?.[0] ?? "";
      return link;
    };
    await expect.poll(look, { timeout: 20_000 }).not.toBe("");
    return link;
  }

  it("F21: somebody is invited, joins by the mail, signs out and in by password", async () => {
    const admin = await settings("members");
    await admin.getByRole("button", { name: "Invite" }).click();
    await admin.getByLabel("E-mail").fill("grace@example.com");
    await admin.getByLabel("Role", { exact: true }).selectOption("developer");
    await admin.getByRole("button", { name: "Send the invitation" }).click();
    await admin.getByText("grace@example.com").waitFor();

    const link = new URL(await mailedLink("grace@example.com"));
    const grace = await visit(link.pathname + link.hash);
    await grace.getByRole("heading", { name: /^Join / }).waitFor();
    expect(grace.url()).not.toContain("token");
    expect(await audit(grace)).toEqual([]);
    await grace.getByLabel("Your name").fill("Grace");
    await grace.getByLabel("Password").fill("a quiet lantern in June");
    await grace.keyboard.press("Enter");
    await grace.getByRole("heading", { name: "Agents" }).waitFor();

    await grace.getByRole("button", { name: "Sign out" }).click();
    await grace.getByLabel("E-mail").fill("grace@example.com");
    await grace.getByLabel("Password").fill("not this one at all");
    await grace.keyboard.press("Enter");
    await grace.getByRole("alert").waitFor();
    await grace.getByLabel("Password").fill("a quiet lantern in June");
    await grace.keyboard.press("Enter");
    await grace.getByRole("heading", { name: "Agents" }).waitFor();
    // A developer is not offered what a developer may not read.
    await grace.getByRole("link", { name: "Settings" }).click();
    await grace.getByRole("heading", { name: "Account" }).waitFor();
    expect(await grace.getByRole("link", { name: "Audit" }).count()).toBe(0);
  });

  it("F33, F34, F37: a key is made, shown once, rotated and revoked", async () => {
    const page = await settings("keys");
    await page.getByRole("button", { name: "New key" }).click();
    await page.getByRole("textbox", { name: "Name" }).fill("reporting");
    await page.getByRole("button", { name: "Make the key" }).click();
    const secret = page.locator(".once code");
    await secret.waitFor();
    const first = (await secret.textContent()) ?? "";
    expect(first).toMatch(/^berth_live_/);
    expect(await audit(page)).toEqual([]);
    await page.getByRole("button", { name: "I have copied it" }).click();
    await page.getByRole("link", { name: "reporting" }).first().click();
    await page.getByRole("heading", { name: "reporting" }).waitFor();
    expect(await page.content()).not.toContain(first);

    await page.getByRole("button", { name: "Rotate" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Rotate" }).click();
    await secret.waitFor();
    expect(await secret.textContent()).not.toBe(first);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Revoke" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
    await page.getByText("revoked").waitFor();
    expect(await audit(page)).toEqual([]);
  });

  it("F80: a secret goes in, is rotated, and is nowhere on the page", async () => {
    const page = await settings("secrets");
    await page.getByRole("button", { name: "New secret" }).click();
    await page.getByLabel("Name").fill("CRM_TOKEN");
    await page.getByLabel("Value").fill("canary-value-of-the-page");
    await page.getByRole("button", { name: "Seal it" }).click();
    await page.getByText("version 1").waitFor();
    expect(await page.content()).not.toContain("canary-value-of-the-page");
    await page.getByRole("button", { name: "Rotate" }).click();
    await page.getByRole("dialog").getByLabel("Value").fill("another-canary-value");
    await page.getByRole("dialog").getByRole("button", { name: "Rotate" }).click();
    await page.getByText("version 2").waitFor();
    expect(await audit(page)).toEqual([]);
  });

  it("F4: a hostname shows what to set in DNS, with the state it is in", async () => {
    const page = await settings("hostnames");
    await page.getByRole("button", { name: "Add a hostname" }).click();
    await page.getByLabel("Name").fill("agents.acme-example.com");
    await page.getByRole("button", { name: "Add", exact: true }).click();
    await page.getByText("_berth-challenge.agents.acme-example.com").waitFor();
    await page.getByText("pending").waitFor();
    expect(await audit(page)).toEqual([]);
  });

  it("F7: branding is looked at before it is set, and what cannot be read is refused", async () => {
    const page = await settings("branding");
    await page.getByLabel("Name").fill("Acme Harbour");
    await page.getByLabel("ink").first().fill("#fefefe");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("alert").first().waitFor();
    await page.getByLabel("ink").first().fill("");
    await page.getByLabel("accent").first().fill("#7a1fa2");
    await page.getByRole("button", { name: "Save" }).click();
    await expect
      .poll(async () => (await fetchText(page, "/branding.css")).includes("#7a1fa2"))
      .toBe(true);
  });

  it("K13: the trail says what was done here, and that it is whole", async () => {
    const page = await settings("audit");
    await page
      .getByRole("row", { name: /session\.begun/ })
      .first()
      .waitFor();
    await page.getByRole("button", { name: "Verify the chain" }).click();
    await page.getByText(/entries are as they were written/).waitFor();
    expect(await audit(page)).toEqual([]);
  });

  it("F16: the danger zone asks twice and takes the tenant's name for it", async () => {
    const page = await settings("tenant");
    await page.getByRole("button", { name: "Erase this tenant…" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Type acme to confirm").fill("something else");
    await dialog.getByRole("button", { name: "Erase everything" }).click();
    await dialog.getByLabel("Type acme to confirm").waitFor();
    expect(await audit(page)).toEqual([]);
    await page.keyboard.press("Escape");
    expect(await page.getByRole("dialog").count()).toBe(0);
  });
});

function fetchText(page: Page, path: string): Promise<string> {
  return page.evaluate(`fetch(${JSON.stringify(path)}).then((answer) => answer.text())`);
}
