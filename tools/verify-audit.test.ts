import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportJWK, generateKeyPair } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Linked, linked } from "../core/audit/chain.ts";
import { signCheckpoint } from "../core/audit/checkpoint.ts";
import type { AuditEntry } from "../core/audit/contract.ts";
import type { SigningJwk } from "../core/config.ts";
import { newId } from "../core/ids.ts";
import { publicJwks } from "../core/tokens/signer.ts";

const NOON = Date.UTC(2026, 10, 20, 12);
const TENANT = newId("tenant", NOON);
let folder = "";
const trail: Linked[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "berth audit "));
  for (let n = 0; n < 5; n += 1) trail.push(await linked(entry(n), trail.at(-1) ?? null));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

function entry(n: number): AuditEntry {
  return {
    id: newId("audit", NOON + n),
    tenant_id: TENANT,
    at: new Date(NOON + n).toISOString(),
    action: "thing.made",
    actor: { kind: "key", id: newId("key", NOON) },
    address: null,
    request_id: null,
    resource: { kind: "thing", id: `t${n}` },
    result: "done",
    before_digest: null,
    after_digest: null,
    detail: { n },
    seq: null,
    previous_hash: null,
    hash: null,
  };
}

async function file(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text);
  return join(folder, name);
}

const lines = (entries: readonly AuditEntry[]) =>
  file("trail.ndjson", entries.map((one) => `${JSON.stringify(one)}\n`).join(""));

async function verify(...files: readonly string[]) {
  const tool = join(import.meta.dirname, "verify-audit.ts");
  return new Promise<{ code: number; found: unknown }>((resolve, reject) => {
    execFile(process.execPath, [tool, ...files], (error, stdout, stderr) => {
      if (stdout === "") reject(new Error(stderr));
      else resolve({ code: Number(error?.code ?? 0), found: JSON.parse(stdout) });
    });
  });
}

describe("verifying an exported trail elsewhere", () => {
  it("F171, K13: says that it is whole, and names what is wrong", async () => {
    expect(await verify(await lines(trail))).toMatchObject({
      code: 0,
      found: { verified: true, entries: 5, head: { seq: 5 } },
    });
    const forged = trail.map((one) => (one.seq === 3 ? { ...one, action: "thing.forged" } : one));
    expect(await verify(await lines(forged))).toMatchObject({
      code: 1,
      found: { verified: false, fault: { seq: 3, id: trail[2]?.id, what: "altered" } },
    });
  });

  it("K13: a kept checkpoint shows a tail that was cut off, and a chain made anew", async () => {
    const { privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
    // As jose exports an Ed25519 key.
    const jwk = { ...(await exportJWK(privateKey)), kid: "then" } as SigningJwk;
    const last = trail.at(-1);
    const mark = { seq: last?.seq ?? 0, hash: last?.hash ?? "" };
    const kept = await file(
      "checkpoint.json",
      JSON.stringify(await signCheckpoint(jwk, TENANT, mark, NOON)),
    );
    const keys = await file("jwks.json", JSON.stringify(publicJwks([jwk])));
    expect(await verify(await lines(trail), kept, keys)).toMatchObject({
      code: 0,
      found: { verified: true, checkpoint: "signed" },
    });
    expect(await verify(await lines(trail.slice(0, 4)), kept, keys)).toMatchObject({
      code: 1,
      found: { fault: { seq: 5, what: "missing" } },
    });
    const anew: Linked[] = [];
    for (let n = 0; n < 5; n += 1) anew.push(await linked(entry(n + 10), anew.at(-1) ?? null));
    expect(await verify(await lines(anew), kept, keys)).toMatchObject({
      code: 1,
      found: { fault: { seq: 5, what: "checkpoint" } },
    });
  });
});
