import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { unstable_readConfig } from "wrangler";
import { z } from "zod";

const ROOT = join(import.meta.dirname, "..");
const config = join(ROOT, "wrangler.toml");
const local = unstable_readConfig({ config }, { hideWarnings: true });
const production = unstable_readConfig({ config, env: "production" }, { hideWarnings: true });

const Databases = z.array(z.object({ binding: z.string(), migrations_dir: z.string() }));

/** Ids of accounts differ between environments; nothing else of a binding may. */
function bindings({ durable_objects, d1_databases, queues, assets }: typeof local) {
  return { durable_objects, databases: Databases.parse(d1_databases), queues, assets };
}

describe("F146: the environments", () => {
  it("have the same bindings, which production does not inherit", () => {
    expect(bindings(production)).toEqual(bindings(local));
    expect(Object.keys(production.vars).sort()).toEqual(Object.keys(local.vars).sort());
    expect(production.triggers).toEqual(local.triggers);
    expect(production.migrations).toEqual(local.migrations);
    expect(production.name).toBe(local.name);
  });

  it("F2, F3: route in production alone: a route at the top would rewrite the host in local runs", () => {
    expect(local.routes ?? []).toEqual([]);
    expect(production.routes).toEqual([
      { pattern: "example.com/*", zone_name: "example.com" },
      { pattern: "*.example.com/*", zone_name: "example.com" },
    ]);
    expect(production.vars).toMatchObject({
      ENVIRONMENT: "production",
      BASE_DOMAIN: "example.com",
    });
  });

  it("run locally without an account", () => {
    expect(local.ai).toBeUndefined();
    expect(local.vectorize).toEqual([]);
    expect(local.dispatch_namespaces).toEqual([]);
  });

  it("hold no secret", () => {
    const names = Object.keys({ ...local.vars, ...production.vars });
    expect(names.filter((name) => /KEY|JWK|SECRET|TOKEN|URL/.test(name))).toEqual([]);
    expect(existsSync(join(ROOT, ".ci", "run"))).toBe(true);
  });
});
