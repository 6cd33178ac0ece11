/** What a tenant's pages wear: set by its people, served to anybody, never able to do anything. */
import { beforeEach, describe, expect, it } from "vitest";
import { type TestTenant, askPlatform, newKey, newWorld, request } from "../fixtures/world.ts";

let acme: TestTenant;
let globex: TestTenant;
beforeEach(async () => {
  ({ acme, globex } = await newWorld());
});

const DRAWING =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path d="M0 0h8v8z"/></svg>';

function put(json: object, revision = 1, tenant = acme): Promise<Response> {
  return tenant.ask("/v1/branding", {
    method: "PUT",
    json,
    headers: { "if-match": `"${revision}"` },
  });
}

async function putLogo(body: BodyInit | null, type: string, revision = 1): Promise<Response> {
  const { exports } = await import("cloudflare:workers");
  return exports.default.fetch(
    new Request(`${acme.origin}/v1/branding/logo`, {
      method: "PUT",
      headers: {
        host: "acme.localhost",
        authorization: `Bearer ${acme.key}`,
        "content-type": type,
        "if-match": `"${revision}"`,
      },
      body,
    }),
  );
}

/** As a browser that was never here before asks for it. */
function open(path: string, headers: Record<string, string> = {}, tenant = acme) {
  return request(tenant.origin, path, { as: null, headers });
}

describe("F7: name and colours", () => {
  it("are CSS variables at the tenant's own host, and nothing at another's", async () => {
    expect(await (await open("/branding.css")).text()).toBe("");
    const changed = await put({ name: "Acme Ltd", light: { accent: "#7A1FA2" } });
    expect(await changed.json()).toMatchObject({
      name: "Acme Ltd",
      light: { accent: "#7a1fa2" },
      logo: null,
      revision: 2,
    });
    const sheet = await open("/branding.css");
    expect(sheet.headers.get("content-type")).toBe("text/css; charset=utf-8");
    expect(sheet.headers.get("x-content-type-options")).toBe("nosniff");
    const css = await sheet.text();
    expect(css).toContain("--accent: #7a1fa2;");
    expect(css).toContain("--on-accent: #ffffff;");
    expect(css).toContain('--brand-name: "Acme Ltd";');
    expect(await (await open("/branding.css", {}, globex)).text()).toBe("");
  });

  it("are refused where they cannot be read, with the contrast that is missing", async () => {
    const refused = await put({ light: { accent: "#ffd400" }, dark: { ink: "#333333" } });
    expect(refused.status).toBe(422);
    expect(await refused.json()).toMatchObject({
      code: "invalid",
      errors: [
        { pointer: "/light/accent", detail: expect.stringContaining("4.5:1 is needed") },
        { pointer: "/dark/ink", detail: expect.stringContaining("4.5:1 is needed") },
      ],
    });
    for (const accent of ["red", "#fff", "url(//x)", "#12345g", "#000000;}"]) {
      expect([accent, (await put({ light: { accent } })).status]).toEqual([accent, 422]);
    }
    expect((await put({ light: { other: "#000000" } })).status).toBe(422);
    expect((await put({ name: "a\u0000b" })).status).toBe(400);
  });

  it("change at the revision that was read, and are in the audit", async () => {
    expect((await put({ name: "One" })).status).toBe(200);
    expect((await put({ name: "Two" })).status).toBe(412);
    expect((await put({ name: "Two" }, 2)).status).toBe(200);
    expect(await acme.json("/v1/branding", 200)).toMatchObject({ name: "Two", revision: 3 });
    const none = await acme.ask("/v1/branding", { method: "PUT", json: {} });
    expect(none.status).toBe(428);
  });
});

describe("F7: the logo", () => {
  it("is kept made safe, served as a picture alone, and revalidated", async () => {
    const kept = await putLogo(
      `<?xml version="1.0"?>\n<!-- by hand -->\n${DRAWING}`,
      "image/svg+xml",
    );
    expect(kept.status).toBe(200);
    const served = await open("/branding/logo");
    expect(await served.text()).toContain('<path d="M0 0h8v8z"/>');
    expect(Object.fromEntries(served.headers)).toMatchObject({
      "content-type": "image/svg+xml",
      "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
      "x-content-type-options": "nosniff",
      "cache-control": "no-cache",
    });
    const etag = served.headers.get("etag") ?? "";
    const again = await open("/branding/logo", { "if-none-match": `"old", W/${etag}` });
    expect([again.status, await again.text()]).toEqual([304, ""]);
    expect(await (await open("/branding.css")).text()).toContain("--brand-logo: url(");
    expect((await open("/branding/logo", {}, globex)).status).toBe(404);
    await acme.json("/v1/branding/logo", 200, { method: "DELETE", headers: { "if-match": '"2"' } });
    expect((await open("/branding/logo", { "if-none-match": etag })).status).toBe(404);
  });

  it("takes a picture up to 256 KiB, of the kind it says", async () => {
    const png = new Uint8Array(262_144);
    png.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
    expect((await putLogo(png, "image/png")).status).toBe(200);
    const served = await open("/branding/logo");
    expect(served.headers.get("content-type")).toBe("image/png");
    expect(new Uint8Array(await served.arrayBuffer())).toEqual(png);
    expect((await putLogo(new Uint8Array(262_145), "image/png", 2)).status).toBe(413);
    expect((await putLogo(png, "image/jpeg", 2)).status).toBe(422);
    expect((await putLogo(png, "text/html", 2)).status).toBe(415);
    expect((await putLogo(png, "image/gif", 2)).status).toBe(415);
    expect((await putLogo(null, "image/png", 2)).status).toBe(422);
  });

  it.each([
    "<script>alert(1)</script>",
    '<path onload="alert(1)"/>',
    "<foreignObject/>",
    '<image href="https://evil.example/"/>',
    "<style>@import url(//evil)</style>",
    "&xxe;",
  ])("is refused as a drawing with %s", async (inner) => {
    const file = DRAWING.replace("<path", `${inner}<path`);
    const refused = await putLogo(file, "image/svg+xml");
    expect(refused.status).toBe(422);
    expect(await refused.text()).not.toContain("alert(1)");
    expect((await open("/branding/logo")).status).toBe(404);
  });
});

describe("F7, F8: who may", () => {
  it("nobody without tenant:write for the whole tenant, and nobody where the platform says no", async () => {
    for (const as of [
      await newKey(acme, { scopes: ["tenant:read"] }),
      await newKey(acme, { environment: "prod" }),
    ]) {
      const ask = { method: "PUT", json: {}, headers: { "if-match": '"1"' }, as };
      expect((await acme.ask("/v1/branding", ask)).status).toBe(403);
    }
    await put({ light: { accent: "#7a1fa2" } });
    await putLogo(DRAWING, "image/svg+xml", 2);
    const json = { flags: { white_label: false } };
    await askPlatform(`/v1/tenants/${acme.id}`, {
      method: "PATCH",
      json,
      headers: { "if-match": '"1"' },
    });
    expect((await put({}, 3)).status).toBe(403);
    expect(await (await open("/branding.css")).text()).toBe("");
    expect((await open("/branding/logo")).status).toBe(404);
  });
});
