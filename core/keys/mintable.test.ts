import { describe, expect, it } from "vitest";
import { type Principal, SCOPES, TENANT_SCOPES } from "../principals/contract.ts";
import { mintable } from "./mintable.ts";

const KEY: Principal = {
  kind: "key",
  id: "key_1",
  tenantId: "ten_1",
  scopes: ["keys:write", "agents:read"],
};

describe("what a principal may mint", () => {
  it("F25: is any part of what it holds", () => {
    expect(mintable(KEY, { scopes: ["agents:read"] })).toEqual([]);
    expect(
      mintable(KEY, { scopes: ["agents:read"], agentId: "agt_1", environment: "dev" }),
    ).toEqual([]);
  });

  it("F25: is nothing more, and it is told where", () => {
    const faults = mintable(KEY, { scopes: ["agents:read", "agents:write", "usage:read"] });
    expect(faults.map(({ pointer }) => pointer)).toEqual(["/scopes/1", "/scopes/2"]);
  });

  it("F25: keeps the narrowing of its own", () => {
    const narrow = { ...KEY, agentId: "agt_1", environment: "dev" };
    const scopes = ["agents:read"] as const;
    expect(mintable(narrow, { scopes, agentId: "agt_1", environment: "dev" })).toEqual([]);
    const wide = mintable(narrow, { scopes });
    expect(wide.map(({ pointer }) => pointer)).toEqual(["/agent", "/environment"]);
    const other = mintable(narrow, { scopes, agentId: "agt_2", environment: "prod" });
    expect(other.map(({ pointer }) => pointer)).toEqual(["/agent", "/environment"]);
  });

  it("never the platform's own scopes, whoever asks", () => {
    const platform: Principal = {
      kind: "platform",
      id: "platform",
      tenantId: null,
      scopes: SCOPES,
    };
    expect(mintable(platform, { scopes: TENANT_SCOPES })).toEqual([]);
    const own = ["tenants:provision", "tenants:read"] as const;
    expect(mintable(platform, { scopes: own })).toHaveLength(2);
    const odd: Principal = { ...KEY, scopes: SCOPES };
    expect(mintable(odd, { scopes: own })).toHaveLength(2);
  });
});
