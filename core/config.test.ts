import { describe, expect, it } from "vitest";
import { ConfigError, parseConfig } from "./config.ts";

const KEY = `k1:${btoa("k".repeat(32))}`;
const JWK = {
  kty: "OKP",
  crv: "Ed25519",
  x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
  d: "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
  kid: "one",
};
const LOCAL = {
  BASE_DOMAIN: "localhost:8787",
  PLATFORM_KEY: "p".repeat(32),
  MASTER_KEY: KEY,
};
const PRODUCTION = {
  ...LOCAL,
  ENVIRONMENT: "production",
  BASE_DOMAIN: "berth.example",
  TOKEN_SIGNING_JWK: JSON.stringify(JWK),
};

function refused(vars: Record<string, unknown>, mode: "worker" | "server" = "worker"): ConfigError {
  try {
    if (mode === "worker") parseConfig(vars, "worker");
    else parseConfig(vars, "server");
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error("it was accepted");
}

describe("what is enough", () => {
  it("for a laptop", () => {
    const config = parseConfig(LOCAL, "worker");
    expect(config).toMatchObject({
      environment: "local",
      baseDomain: "localhost",
      baseAuthority: "localhost:8787",
      scheme: "http",
      controlPlane: "d1",
      credentialCacheMs: 5000,
      egressAllow: [],
      tokenIssuers: [],
    });
    expect(config.masterKeys.map(({ kid, key }) => [kid, key.length])).toEqual([["k1", 32]]);
  });

  it.each([
    ["berth.localhost:8787", "http"],
    ["notlocalhost", "https"],
    ["localhost.example", "https"],
  ])("%s is served as %s", (BASE_DOMAIN, scheme) => {
    expect(parseConfig({ ...LOCAL, BASE_DOMAIN }, "worker").scheme).toBe(scheme);
  });

  it("for production", () => {
    expect(parseConfig(PRODUCTION, "worker")).toMatchObject({
      scheme: "https",
      baseDomain: "berth.example",
      tokenSigningJwk: { kid: "one" },
    });
  });

  it("for the local server, which makes its keys itself", () => {
    expect(parseConfig({ BASE_DOMAIN: "localhost" }, "server")).toMatchObject({
      port: 8787,
      stateDir: ".berth",
      platformKey: undefined,
      masterKeys: [],
    });
  });

  it("for a rotation: two sealing keys, the first one seals", () => {
    const both = `k2:${btoa("n".repeat(32))},${KEY}`;
    const { masterKeys } = parseConfig({ ...LOCAL, MASTER_KEY: both }, "worker");
    expect(masterKeys.map(({ kid }) => kid)).toEqual(["k2", "k1"]);
  });

  it("F43: for a rotation of the signing key: the first signs, all verify", () => {
    const old = { ...JWK, kid: "old", d: undefined };
    const keys = { ...LOCAL, TOKEN_SIGNING_JWK: JSON.stringify({ keys: [JWK, old] }) };
    const config = parseConfig(keys, "worker");
    expect(config.tokenSigningJwk?.kid).toBe(JWK.kid);
    expect(config.tokenKeys.map(({ kid }) => kid)).toEqual([JWK.kid, "old"]);
  });

  it("for issuers outside, each pinned to one algorithm", () => {
    const issuer = {
      issuer: "https://id.example.com",
      audience: "berth",
      alg: "ES256",
      jwks_uri: "https://id.example.com/jwks",
    };
    const config = parseConfig({ ...LOCAL, TOKEN_ISSUERS: JSON.stringify([issuer]) }, "worker");
    expect(config.tokenIssuers).toEqual([{ ...issuer, typ: "at+jwt", tenant_claim: "tenant_id" }]);
  });
});

describe("a bad value is refused by its name, and its content is not repeated", () => {
  const SECRET = "s3cret-content-of-a-setting";
  it.each([
    ["ENVIRONMENT", SECRET],
    ["BASE_DOMAIN", `https://${SECRET}/`],
    ["PLATFORM_KEY", SECRET],
    ["MASTER_KEY", SECRET],
    ["MASTER_KEY", `k1:${btoa(SECRET)}`],
    ["MASTER_KEY", `${KEY},${KEY}`],
    ["TOKEN_SIGNING_JWK", SECRET],
    ["TOKEN_SIGNING_JWK", JSON.stringify({ ...JWK, d: undefined, secret: SECRET })],
    ["TOKEN_SIGNING_JWK", JSON.stringify({ ...JWK, kty: "RSA", secret: SECRET })],
    ["TOKEN_SIGNING_JWK", JSON.stringify({ keys: [], secret: SECRET })],
    ["TOKEN_SIGNING_JWK", JSON.stringify({ keys: [{ ...JWK, d: undefined }], [SECRET]: 1 })],
    ["TOKEN_SIGNING_JWK", JSON.stringify({ keys: [JWK, JWK] })],
    ["TOKEN_ISSUERS", `{${SECRET}`],
    ["TOKEN_ISSUERS", JSON.stringify([{ issuer: SECRET }])],
    ["CONTROL_PLANE", SECRET],
    ["DATABASE_URL", SECRET],
    ["CREDENTIAL_CACHE_MS", "5001"],
    ["CREDENTIAL_CACHE_MS", "-1"],
    ["CREDENTIAL_CACHE_MS", SECRET],
    ["EGRESS_ALLOW", SECRET],
    ["EGRESS_ALLOW", "127.0.0.1"],
    ["EGRESS_ALLOW", "*:80"],
    ["FAULT_POINTS", `${SECRET} !`],
    ["BENCH_COUNTERS", SECRET],
    ["MODEL_PROVIDERS", SECRET],
    ["MODEL_PROVIDERS", JSON.stringify([{ slug: "local", base_url: "https://a.example" }])],
    ["MODEL_PROVIDERS", JSON.stringify([{ slug: "a", base_url: SECRET }])],
    ["MODEL_PROVIDERS", JSON.stringify([1, 2].map(() => ({ slug: "a", base_url: "https://a.b" })))],
  ])("%s", (setting, value) => {
    const error = refused({ ...LOCAL, [setting]: value });
    expect(error.settings).toEqual([setting]);
    expect(error.message).toContain(setting);
    expect(error.message).not.toContain(SECRET);
  });

  it.each([
    ["PORT", "0"],
    ["PORT", "65536"],
    ["PORT", SECRET],
    ["STATE_DIR", "x".repeat(5000)],
  ])("%s of the server", (setting, value) => {
    expect(refused({ BASE_DOMAIN: "localhost", [setting]: value }, "server").settings).toEqual([
      setting,
    ]);
  });

  it("all of them in one go", () => {
    expect(refused({ CREDENTIAL_CACHE_MS: "x", EGRESS_ALLOW: "x" }).settings.toSorted()).toEqual([
      "BASE_DOMAIN",
      "CREDENTIAL_CACHE_MS",
      "EGRESS_ALLOW",
      "MASTER_KEY",
      "PLATFORM_KEY",
    ]);
  });
});

describe("what belongs together", () => {
  it.each(["PLATFORM_KEY", "MASTER_KEY"])("a Worker needs %s", (setting) => {
    expect(refused({ ...LOCAL, [setting]: "" }).settings).toEqual([setting]);
  });

  it("Neon needs its database", () => {
    expect(refused({ ...LOCAL, CONTROL_PLANE: "neon" }).settings).toEqual(["DATABASE_URL"]);
  });

  it.each([
    ["TOKEN_SIGNING_JWK", ""],
    ["EGRESS_ALLOW", "127.0.0.1:9000"],
    ["FAULT_POINTS", "after-claim"],
    ["BASE_DOMAIN", "localhost"],
    [
      "TOKEN_ISSUERS",
      JSON.stringify([
        { issuer: "https://i.example", audience: "b", alg: "ES256", jwks_uri: "http://i.example" },
      ]),
    ],
  ])("F43: production refuses %s=%j", (setting, value) => {
    expect(refused({ ...PRODUCTION, [setting]: value }).settings).toEqual([setting]);
  });

  it("F43: an issuer stands once, pinned to one algorithm", () => {
    const issuer = (alg: string) => ({
      issuer: "https://i.example",
      audience: "b",
      alg,
      jwks_uri: "https://i.example/jwks",
    });
    const vars = { ...LOCAL, TOKEN_ISSUERS: JSON.stringify([issuer("ES256"), issuer("RS256")]) };
    expect(refused(vars).settings).toEqual(["TOKEN_ISSUERS"]);
  });

  it.each([
    { alg: "none", jwk: { kty: "oct" } },
    { alg: "HS256", jwks_uri: "https://i.example/jwks" },
    { alg: "ES256" },
    { alg: "ES256", jwk: { kty: "EC" }, jwks_uri: "https://i.example/jwks" },
  ])("F43: an issuer cannot be trusted by %j", (pin) => {
    const issuer = { issuer: "https://i.example", audience: "b", ...pin };
    const vars = { ...LOCAL, TOKEN_ISSUERS: JSON.stringify([issuer]) };
    expect(refused(vars).settings).toEqual(["TOKEN_ISSUERS"]);
  });
});
