/**
 * Requests that no HTTP library would send, byte by byte to the running server: whoever is asked for
 * is whom `Host` names, or the request is refused.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { exchangeWith } from "../../tools/exchange.ts";
import { type Platform, startPlatform } from "../fixtures/platform.ts";

const Keyed = z.object({ key: z.object({ secret: z.string() }) });

let platform: Platform;
let stateDir = "";
let key = "";

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), "berth hosts "));
  platform = await startPlatform({ stateDir });
  const exchange = exchangeWith(platform.port);
  for (const slug of ["globex", "acme"]) {
    const made = await exchange("localhost", "/v1/tenants", {
      method: "POST",
      headers: { authorization: `Bearer ${platform.platformKey}` },
      body: { slug, name: slug, admin: { email: `a@${slug}.example`, name: "A" } },
    });
    key = Keyed.parse(made.body).key.secret; // acme's, which is made last
  }
});
afterAll(async () => {
  await platform.kill();
  await rm(stateDir, { recursive: true, force: true });
});

/** Send these bytes; the whole answer until the server hangs up, or nothing. */
async function send(...lines: readonly string[]): Promise<{ status: number; body: string }> {
  const text = [...lines, `authorization: Bearer ${key}`, "connection: close", "", ""].join("\r\n");
  const answer = await new Promise<string>((resolve, reject) => {
    const socket = connect(platform.port, "127.0.0.1", () => socket.write(text));
    let got = "";
    socket.setEncoding("utf8");
    socket.on("data", (chunk: string) => {
      got += chunk;
    });
    socket.once("error", reject);
    socket.once("close", () => resolve(got));
  });
  const [head = "", body = ""] = answer.split("\r\n\r\n");
  return { status: Number(/^HTTP\/1\.1 ([0-9]{3})/.exec(head)?.[1] ?? 0), body };
}

const ME = "/v1/users/me";

/** Whom a request reached; nobody when it was refused, by whichever server. */
async function reached(...lines: readonly string[]): Promise<string> {
  const { status, body } = await send(...lines);
  const slug = /"slug":"([a-z]+)"/.exec(body)?.[1];
  if (slug !== undefined) return slug;
  return [0, 400, 401, 404, 421].includes(status) ? "nobody" : `status ${status}`;
}

describe("F1: on the wire", () => {
  it("one Host that names a tenant is that tenant", async () => {
    expect(await reached(`GET ${ME} HTTP/1.1`, "host: acme.localhost")).toBe("acme");
  });

  it("an absolute request target never moves a request to another tenant", async () => {
    const crossed = `GET http://acme.localhost${ME} HTTP/1.1`;
    const nobody = "host: nobody.localhost";
    for (const lines of [
      [crossed, "host: globex.localhost"],
      [crossed, nobody],
      [`GET http://nobody.localhost${ME} HTTP/1.1`, nobody],
      [`GET http://user@acme.localhost${ME} HTTP/1.1`, nobody],
      [`GET //acme.localhost${ME} HTTP/1.1`, nobody],
    ]) {
      expect([lines, await reached(...lines)]).toEqual([lines, "nobody"]);
    }
  });

  it.each([
    ["two hosts", ["host: acme.localhost", "host: globex.localhost"]],
    ["two hosts, the other way round", ["host: globex.localhost", "host: acme.localhost"]],
    ["a host folded over two lines", ["host: nobody.localhost,", " acme.localhost"]],
    ["no host", []],
    ["an empty host", ["host:"]],
    ["a host of spaces", ["host:    "]],
    ["userinfo", ["host: user@acme.localhost"]],
    ["userinfo of another tenant", ["host: acme.localhost@globex.localhost"]],
    ["an IPv6 address", ["host: [::1]"]],
    ["a mapped IPv6 address", ["host: [::ffff:127.0.0.1]:8787"]],
    ["an IPv4 address", ["host: 127.0.0.1"]],
    ["a trailing dot", ["host: acme.localhost."]],
    ["an absurd port", ["host: acme.localhost:99999"]],
    ["a list", ["host: acme.localhost, globex.localhost"]],
    ["a space before the colon", ["host : acme.localhost"]],
    ["a NUL", ["host: acme.localhost\u0000"]],
    ["a path", ["host: acme.localhost/x"]],
    ["four thousand labels", [`host: ${"a.".repeat(4000)}localhost`]],
  ])("%s: nobody", async (_name, hosts) => {
    expect(await reached(`GET ${ME} HTTP/1.1`, ...hosts)).toBe("nobody");
  });

  it("forwarded headers have no say", async () => {
    for (const said of [
      "x-forwarded-host: acme.localhost",
      "forwarded: host=acme.localhost",
      "x-original-host: acme.localhost",
      "x-host: acme.localhost",
    ]) {
      for (const host of ["host: globex.localhost", "host: nobody.localhost"]) {
        expect(await reached(`GET ${ME} HTTP/1.1`, host, said)).toBe("nobody");
      }
    }
  });
});
