import fc from "fast-check";
import { CompactSign, exportJWK, exportSPKI } from "jose";
import { describe, expect, it } from "vitest";
import {
  KEY_HOLDER,
  NOW,
  ORIGIN,
  OTHER,
  OUTSIDE,
  OWN_HEADER,
  SECONDS,
  TENANT,
  at,
  base64url,
  bytes,
  type Claims,
  codeOf,
  foreign,
  foreignClaims,
  own,
  ownClaims,
  ownToken,
  signing,
  signingJwk,
  verifierFor,
} from "../../tests/fixtures/forged-tokens.ts";
import { issueToken, publicJwks } from "./signer.ts";

const verifier = verifierFor(signing);

describe("tokens of our own", () => {
  it.each(["EdDSA", "ES256"] as const)("F43: one minted with %s is its principal", async (alg) => {
    const jwk = await signingJwk(alg, "k");
    const grant = { principal: KEY_HOLDER, tenantId: TENANT.id, origin: ORIGIN };
    const token = await issueToken(jwk, grant, NOW);
    const endsAtMs = (Math.floor(NOW / 1000) + 3600) * 1000;
    expect(await verifierFor(jwk).verify(token, at())).toEqual({
      principal: { ...KEY_HOLDER, endsAtMs },
      own: true,
      beganAtMs: NOW,
    });
  });

  it("are minted with fewer scopes when fewer are asked for, never with more", async () => {
    const grant = {
      principal: KEY_HOLDER,
      tenantId: TENANT.id,
      origin: ORIGIN,
      scopes: ["agents:invoke", "keys:write"] as const,
    };
    const token = await issueToken(signing, grant, NOW);
    expect((await verifier.verify(token, at())).principal.scopes).toEqual(["agents:invoke"]);
  });

  it.each([0, -1, 3601])("cannot be minted to last %d seconds", async (lifetimeSeconds) => {
    const grant = { principal: KEY_HOLDER, tenantId: TENANT.id, origin: ORIGIN, lifetimeSeconds };
    await expect(issueToken(signing, grant, NOW)).rejects.toThrow(RangeError);
  });

  it("cannot be minted for another tenant", async () => {
    const grant = { principal: KEY_HOLDER, tenantId: OTHER.id, origin: ORIGIN };
    await expect(issueToken(signing, grant, NOW)).rejects.toThrow(RangeError);
  });

  it("publishes no private part of the signing key", () => {
    const { keys } = publicJwks([signing]);
    expect(keys).toEqual([
      { kty: "OKP", crv: "Ed25519", x: signing.x, kid: "own-1", alg: "EdDSA", use: "sig" },
    ]);
  });

  it("are nobody's when no signing key is configured", async () => {
    const token = await ownToken(ownClaims());
    expect(await codeOf(token, at(), verifierFor(undefined))).toBe("invalid_token");
  });
});

describe("F43: refused whoever it claims to be from", () => {
  it("a token without a signature", async () => {
    const [header, payload] = (await ownToken(ownClaims())).split(".");
    expect(await codeOf(`${header}.${payload}.`)).toBe("invalid_token");
    expect(await codeOf(`${header}.${payload}`)).toBe("invalid_token");
  });

  it.each(["none", "None", "NONE", "nOnE", ""])("alg %j", async (alg) => {
    const head = base64url({ ...OWN_HEADER, alg });
    const body = base64url(ownClaims());
    for (const signature of ["", "AA", base64url("x".repeat(64))]) {
      expect(await codeOf(`${head}.${body}.${signature}`)).toBe("invalid_token");
    }
  });

  it("a signature of somebody else's key of the same name", async () => {
    const other = await signingJwk("EdDSA", "own-1");
    const grant = { principal: KEY_HOLDER, tenantId: TENANT.id, origin: ORIGIN };
    expect(await codeOf(await issueToken(other, grant, NOW))).toBe("invalid_token");
  });

  it("an HMAC keyed with the public key (RS to HS)", async () => {
    const pem = await exportSPKI(foreign.publicKey);
    const der = Buffer.from(pem.split("\n").slice(1, -1).join(""), "base64");
    const jwk = JSON.stringify(await exportJWK(foreign.publicKey));
    for (const secret of [der, Buffer.from(pem), Buffer.from(`${pem}\n`), Buffer.from(jwk)]) {
      const token = await new CompactSign(bytes(foreignClaims()))
        .setProtectedHeader({ alg: "HS256", typ: "at+jwt", kid: "rsa-1" })
        .sign(secret);
      expect(await codeOf(token)).toBe("invalid_token");
    }
  });

  it("another algorithm of the same key (RS256 to PS256)", async () => {
    const pkcs8 = await crypto.subtle.exportKey("pkcs8", foreign.privateKey);
    const algorithm = { name: "RSA-PSS", hash: "SHA-256" };
    const key = await crypto.subtle.importKey("pkcs8", pkcs8, algorithm, false, ["sign"]);
    const token = await new CompactSign(bytes(foreignClaims()))
      .setProtectedHeader({ alg: "PS256", typ: "at+jwt", kid: "rsa-1" })
      .sign(key);
    expect(await codeOf(token)).toBe("invalid_token");
  });

  it.each(["jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256"])(
    "a header that brings its key in %s, though the signature is right",
    async (name) => {
      const value = name === "jwk" ? publicJwks([signing]).keys[0] : `${OUTSIDE}/${name}`;
      const header = base64url({ ...OWN_HEADER, [name]: value });
      const body = base64url(ownClaims());
      const signature = await crypto.subtle.sign("Ed25519", own, bytes(`${header}.${body}`));
      const token = `${header}.${body}.${Buffer.from(signature).toString("base64url")}`;
      expect(await codeOf(token)).toBe("invalid_token");
    },
  );

  it("a critical extension, known to the signer alone", async () => {
    const header = { ...OWN_HEADER, crit: ["urn:example"], "urn:example": 1 };
    expect(await codeOf(await ownToken(ownClaims(), header))).toBe("invalid_token");
  });

  it.each([
    "own-2",
    "OWN-1",
    "../own-1",
    "../../../../dev/null",
    "own-1\0",
    "own-1'--",
    "__proto__",
    "constructor",
    "x".repeat(129),
    "",
    7,
    null,
    ["own-1"],
    { kid: "own-1" },
  ])("a kid that is none of ours: %j", async (kid) => {
    expect(await codeOf(await ownToken(ownClaims(), { ...OWN_HEADER, kid }))).toBe("invalid_token");
  });

  it.each(["JWT", "at+jws", undefined, "", "application/jwt"])("the type %j", async (typ) => {
    expect(await codeOf(await ownToken(ownClaims(), { ...OWN_HEADER, typ }))).toBe("invalid_token");
  });

  it("one that is longer than 8 kB", async () => {
    const token = await ownToken(ownClaims({ padding: "x".repeat(8192) }));
    expect(await codeOf(token)).toBe("invalid_token");
  });

  it.each([
    "",
    ".",
    "..",
    "...",
    "a.b.c",
    "a.b.c.d.e",
    "🙂.🙂.🙂",
    "\0",
    "null.null.null",
    `${base64url([])}.${base64url([])}.AA`,
  ])("what is no token: %j", async (text) => {
    expect(await codeOf(text)).toBe("invalid_token");
  });

  it("never throws a defect, and accepts nothing, whatever is sent", async () => {
    const part = fc.oneof(
      fc.string(),
      fc.json().map((json) => base64url(json)),
      fc.base64String().map((text) => text.replaceAll("=", "")),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 5 }), async (parts) => {
        expect(await codeOf(parts.join("."))).toBe("invalid_token");
      }),
      { numRuns: 300 },
    );
  });
});

describe("F43: refused although the signature is right", () => {
  const cases: readonly (readonly [string, Claims])[] = [
    ["another issuer", { iss: "http://globex.localhost:8787" }],
    ["no issuer", { iss: undefined }],
    ["another audience", { aud: "http://globex.localhost:8787" }],
    ["several audiences", { aud: [ORIGIN, "https://elsewhere.example"] }],
    ["no audience", { aud: undefined }],
    ["another tenant", { tenant_id: OTHER.id }],
    ["the slug for the id", { tenant_id: TENANT.slug }],
    ["no tenant", { tenant_id: undefined }],
    ["no end", { exp: undefined }],
    ["an end in words", { exp: String(SECONDS + 600) }],
    ["an end that never comes", { exp: 1e300 }],
    ["more than an hour", { exp: SECONDS + 3601 }],
    ["no beginning", { iat: undefined }],
    ["a beginning in the future", { iat: SECONDS + 31, exp: SECONDS + 600 }],
    ["an end before its beginning", { iat: SECONDS, exp: SECONDS - 1 }],
    ["not valid yet", { nbf: SECONDS + 31 }],
    ["a beginning in the future, though valid by nbf", { iat: SECONDS + 31, nbf: SECONDS }],
    ["nobody", { sub: undefined }],
    ["an empty name", { sub: "" }],
    ["the platform", { sub: "platform" }],
    ["a name that is no id", { sub: "user-7" }],
    ["a tenant as a subject", { sub: TENANT.id }],
  ];

  it.each(cases)("for %s", async (_name, claims) => {
    expect(await codeOf(await ownToken(ownClaims(claims)))).toBe("invalid_token");
  });

  it("as expired, once it is, with thirty seconds of leeway", async () => {
    const token = await ownToken(ownClaims({ exp: SECONDS + 10 }));
    expect(await codeOf(token, at({ nowMs: NOW + 39_999 }))).toMatch(/^accepted/);
    expect(await codeOf(token, at({ nowMs: NOW + 40_000 }))).toBe("token_expired");
  });

  it("F20: at another tenant's host, and at the same tenant under another name", async () => {
    const token = await ownToken(ownClaims());
    const theirs = at({ tenant: OTHER, origin: "http://globex.localhost:8787" });
    expect(await codeOf(token, theirs)).toBe("invalid_token");
    expect(await codeOf(token, at({ origin: "http://acme.localhost:9999" }))).toBe("invalid_token");
  });

  it("with a claim that stands twice, at any depth", async () => {
    const text = JSON.stringify(ownClaims({ extra: { a: 1 } }));
    expect(await codeOf(await ownToken(text))).toMatch(/^accepted/);
    for (const twice of [
      text.replace("{", `{"tenant_id":"${OTHER.id}",`),
      text.replace("{", `{"\\u0073ub":"usr_1",`),
      text.replace('{"a":1}', '{"a":1,"a":2}'),
    ]) {
      expect(await codeOf(await ownToken(twice))).toBe("invalid_token");
    }
  });

  it.each(["null", "[]", '"x"', "1", "", "{", `${JSON.stringify(ownClaims())} x`])(
    "with a payload that is no object: %j",
    async (payload) => {
      expect(await codeOf(await ownToken(payload))).toBe("invalid_token");
    },
  );
});

describe("F43: one token has one text (E14)", () => {
  it("no padding, white space or loose bits in any segment", async () => {
    const token = await ownToken(ownClaims());
    const segments = token.split(".");
    const accepted: string[] = [];
    for (const index of [0, 1, 2]) {
      for (const change of [
        (text: string) => `${text}=`,
        (text: string) => `${text}==`,
        (text: string) => ` ${text}`,
        (text: string) => `${text}\n`,
        (text: string) => `${text.slice(0, 4)} ${text.slice(4)}`,
        looser,
      ]) {
        const changed = segments.map((text, i) => (i === index ? change(text) : text)).join(".");
        accepted.push(...(changed === token ? [] : [await codeOf(changed)]));
      }
    }
    expect(new Set(accepted)).toEqual(new Set(["invalid_token"]));
  });

  /** The same bytes with other unused bits, where the segment has any. */
  function looser(text: string): string {
    if (text.length % 4 === 0) return text;
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const last = alphabet.indexOf(text.slice(-1));
    return text.slice(0, -1) + alphabet.charAt(last + 1);
  }
});

describe("a verdict is kept for a moment", () => {
  it("at the same host only, no longer than the configured time, and never past the end", async () => {
    const keeping = verifierFor(signing, "5000");
    const token = await ownToken(ownClaims({ exp: SECONDS + 2 }));
    expect(keeping.verify(token, at())).toBeInstanceOf(Promise);
    await keeping.verify(token, at());
    expect(keeping.verify(token, at({ nowMs: NOW + 1999 }))).not.toBeInstanceOf(Promise);
    const elsewhere = at({ origin: "http://globex.localhost:8787" });
    expect(await codeOf(token, elsewhere, keeping)).toBe("invalid_token");
    await keeping.verify(token, at());
    expect(keeping.verify(token, at({ nowMs: NOW + 2000 }))).toBeInstanceOf(Promise);
  });

  it("and never when the time is 0", async () => {
    const token = await ownToken(ownClaims());
    await verifier.verify(token, at());
    expect(verifier.verify(token, at())).toBeInstanceOf(Promise);
  });
});
