import { CompactSign } from "jose";
import { beforeEach, describe, expect, it } from "vitest";
import {
  AUDIENCE,
  NOW,
  ORIGIN,
  OUTSIDE,
  SECONDS,
  SHARED_SECRET,
  TENANT,
  at,
  bytes,
  type Claims,
  codeOf,
  foreignJwk,
  foreignToken,
  publish,
  signing,
  timesAsked,
  verifierFor,
} from "../../tests/fixtures/forged-tokens.ts";

const verifier = verifierFor(signing);

beforeEach(() => publish());

describe("F41: issuers outside, each with its own pinned algorithm", () => {
  it("a user of one is a user, under a name no key of ours can have", async () => {
    const { principal } = await verifier.verify(await foreignToken(), at());
    expect(principal).toEqual({
      kind: "user",
      id: `${OUTSIDE}#user-7`,
      tenantId: TENANT.id,
      scopes: ["agents:read"],
      person: { email: null, name: null, sessionId: null },
      endsAtMs: (SECONDS + 600) * 1000,
    });
  });

  it("its scopes are at most a tenant's", async () => {
    const token = await foreignToken({ scope: "tenants:provision agents:read nonsense" });
    expect((await verifier.verify(token, at())).principal.scopes).toEqual(["agents:read"]);
  });

  it("a shared secret works where it is configured, with the tenant in workspaceId", async () => {
    const claims = {
      iss: "https://old.example.com",
      aud: AUDIENCE,
      sub: "user-9",
      sessionId: "s",
      workspaceId: "acme",
      email: "a@example.com",
      name: "A",
      iat: SECONDS,
      exp: SECONDS + 60,
    };
    const sign = (more: Claims) =>
      new CompactSign(bytes({ ...claims, ...more }))
        .setProtectedHeader({ alg: "HS256", typ: "JWT" })
        .sign(Buffer.from(SHARED_SECRET, "base64url"));
    expect(await codeOf(await sign({}))).toBe("accepted as https://old.example.com#user-9");
    expect(await codeOf(await sign({ workspaceId: "globex" }))).toBe("invalid_token");
    expect(await codeOf(await sign({ iss: OUTSIDE }))).toBe("invalid_token");
  });

  it("an issuer nobody configured is refused without asking it", async () => {
    const before = timesAsked();
    expect(await codeOf(await foreignToken({ iss: "https://evil.example" }))).toBe("invalid_token");
    expect(timesAsked()).toBe(before);
  });

  it("F43: an issuer cannot speak for our own host", async () => {
    expect(await codeOf(await foreignToken({ iss: ORIGIN, aud: ORIGIN }))).toBe("invalid_token");
  });

  it("asks for keys once, and for unknown ones at most every thirty seconds", async () => {
    const fresh = verifierFor(signing);
    const before = timesAsked();
    for (let i = 0; i < 5; i += 1) await fresh.verify(await foreignToken(), at());
    expect(timesAsked()).toBe(before + 1);
    for (let i = 0; i < 5; i += 1) {
      expect(await codeOf(await foreignToken({}, { kid: `new-${i}` }), at(), fresh)).toBe(
        "invalid_token",
      );
    }
    expect(timesAsked()).toBe(before + 1);
    await codeOf(await foreignToken({}, { kid: "new" }), at({ nowMs: NOW + 30_000 }), fresh);
    expect(timesAsked()).toBe(before + 2);
  });

  it.each([
    ["the same kid twice", (key: object) => [key, key]],
    ["a shared secret beside it", (key: object) => [key, { kty: "oct", k: SHARED_SECRET }]],
    ["a key for encryption", (key: object) => [{ ...key, use: "enc" }]],
    ["a key for another algorithm", (key: object) => [{ ...key, alg: "PS256" }]],
    ["nothing", () => []],
  ])("F43: a key set with %s verifies nothing", async (_name, change) => {
    publish({ keys: change(foreignJwk) });
    expect(await codeOf(await foreignToken(), at(), verifierFor(signing))).toBe("invalid_token");
  });

  it("says so when the keys cannot be had", async () => {
    publish("no key set");
    expect(await codeOf(await foreignToken(), at(), verifierFor(signing))).toBe("overloaded");
  });
});
