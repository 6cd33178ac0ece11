import { applyD1Migrations, evictDurableObject, reset, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { record } from "../../core/audit/store-record.ts";
import { verifyTrail } from "../../core/audit/store-verify.ts";
import { tenantScope } from "../../core/db/scope.ts";
import { newId } from "../../core/ids.ts";
import { publicJwks } from "../../core/tokens/signer.ts";
import { configOf, platformOf } from "../agent-runtime/settings.ts";
import { gateName, type TenantGateRpc } from "./contract.ts";

const NOON = Date.UTC(2026, 10, 20, 12);
const TENANT = newId("tenant", NOON);
const stub = () => env.TENANT_GATE.getByName(gateName(TENANT));
// The generated stub type loses what the methods answer with; the class implements this.
const gate = () => stub() as unknown as TenantGateRpc;
const chain = () => gate().chain(TENANT);
const scope = () => tenantScope(platformOf(env), TENANT);

async function write(count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    await record(scope(), { action: "thing.made", kind: "thing", id: `t${n}` }, NOON + n);
  }
}

async function verify() {
  const { keys } = publicJwks(configOf(env).tokenKeys);
  const { head } = await gate().head(TENANT);
  return verifyTrail(scope(), { from: undefined, head, keys });
}

beforeEach(async () => {
  await reset();
  await applyD1Migrations(env.DB, env.TEST_MIGRATIONS);
});

describe("a gate and its tenant's chain", () => {
  it("F171: remembers the head over its own end, and goes on from it", async () => {
    await write(3);
    const { head } = await chain();
    expect(head?.seq).toBe(3);
    await evictDurableObject(stub());
    expect(await gate().head(TENANT)).toEqual({ head });
    await write(2);
    expect((await chain()).head?.seq).toBe(5);
    expect(await verify()).toMatchObject({ verified: true, entries: 5 });
  });

  it("F171: that lost its memory takes the rows over and writes none anew", async () => {
    await write(120);
    const { head } = await chain();
    await runInDurableObject(stub(), (_gate, { storage }) => storage.sql.exec("DELETE FROM chain"));
    expect(await gate().head(TENANT)).toEqual({ head: null });
    expect(await chain()).toEqual({ head });
    expect(await verify()).toMatchObject({ verified: true, entries: 120 });
  });

  it("F171: asked from everywhere at once makes one chain without a gap", async () => {
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        await write(2);
        await chain();
      }),
    );
    expect(await verify()).toMatchObject({ verified: true, entries: 40, unchained: 0 });
  });

  it("F171, G7: answers no other tenant", async () => {
    await write(1);
    await chain();
    const other = newId("tenant", NOON);
    await runInDurableObject(stub(), async (own) => {
      for (const asked of [own.chain(other), own.head(other), own.checkpoint(other)]) {
        await expect(asked).rejects.toThrow("another tenant");
      }
    });
  });

  it("K13: an empty chain has nothing to sign", async () => {
    expect(await gate().checkpoint(TENANT)).toEqual({ checkpoint: null });
  });
});
