/** App clients, issuers outside, and people who come by a provider. */
import { eq } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { audit } from "../audit/table.ts";
import type { CreateClient } from "../clients/contract.ts";
import { parseClientSecret } from "../clients/format.ts";
import { createClient, deleteClient, findClient, patchClient } from "../clients/store.ts";
import {
  addSecret,
  findSecret,
  listSecrets,
  revokeSecret,
  rotateSecret,
} from "../clients/store-secrets.ts";
import { CreateIssuer, ISSUERS_MAX } from "../issuers/contract.ts";
import {
  createIssuer,
  deleteIssuer,
  listIssuers,
  patchIssuer,
  trustedIssuers,
} from "../issuers/store.ts";
import { listMembers } from "../members/store.ts";
import { CreateSso, type Person } from "../sso/contract.ts";
import { createConnection, deleteConnection, signInChoices } from "../sso/store.ts";
import { joinTenant, knownUser, linkUser, settleRole } from "../sso/store-people.ts";
import { beginSignIn, deleteExpiredSignIns, takeSignIn } from "../sso/store-sign-in.ts";
import type { TenantScope } from "./scope.ts";
import { FIRST_PAGE, NOON, type Open, missing, newTenant, race, refusal } from "./suite-world.ts";

const HOUR_MS = 3_600_000;
const seal = async () => "v1.k.nonce.sealed";

export const CLIENT: CreateClient = {
  name: "robot",
  scopes: ["agents:read"],
  token_lifetime_seconds: 3600,
};

export const issuerInput = (more: object = {}): CreateIssuer =>
  CreateIssuer.parse({
    name: "Outside",
    issuer: "https://id.example.com",
    audience: "berth",
    alg: "HS256",
    shared_secret: "s".repeat(32),
    ...more,
  });

export const ssoInput = (more: object = {}): CreateSso =>
  CreateSso.parse({
    slug: "corp",
    name: "Corp",
    issuer: "https://id.example.com",
    client_id: "berth",
    client_secret: "secret",
    ...more,
  });

export function machineCases(open: Open): void {
  describe("app clients", () => {
    clientCases(open);
  });
  describe("issuers", () => {
    issuerCases(open);
  });
  describe("single sign-on", () => {
    ssoCases(open);
  });
}

/** Does the secret open the client, and is it good at `nowMs`? */
async function good(scope: TenantScope, clientId: string, secret: string, nowMs = NOON) {
  const parsed = parseClientSecret(secret) ?? missing("a secret");
  const row = (await findSecret(scope, clientId, parsed.secretId)) ?? missing("a row");
  return row.revokedAtMs === null && (row.expiresAtMs ?? Infinity) > nowMs;
}

async function actions(scope: TenantScope): Promise<readonly string[]> {
  const rows = await scope.db
    .select({ action: audit.action })
    .from(audit)
    .where(eq(audit.tenantId, scope.tenantId));
  return rows.map(({ action }) => action).toSorted((a, b) => a.localeCompare(b));
}

function clientCases(open: Open): void {
  it("F24: of racing secrets one is the second, and none is the third", async () => {
    const { scope } = await newTenant(open());
    const { id, secret } = await createClient(scope, CLIENT, NOON);
    const ran = await race(Array.from({ length: 5 }, () => addSecret(scope, id, NOON)));
    expect(ran.won).toBe(1);
    expect(new Set(ran.refused)).toEqual(new Set(["conflict"]));
    const { data } = await listSecrets(scope, id, NOON);
    expect(data).toHaveLength(2);
    const { secretId } = parseClientSecret(String(secret)) ?? missing("a secret");
    const second = data.find((it) => it.id !== secretId) ?? missing("a second secret");
    await revokeSecret(scope, id, second.id, NOON);
    await addSecret(scope, id, NOON);
    expect(await good(scope, id, String(secret))).toBe(true);
  });

  it("F34: racing rotations leave one that is not on its way out, and five at most in all", async () => {
    const { scope } = await newTenant(open());
    const { id } = await createClient(scope, CLIENT, NOON);
    const ran = await race(Array.from({ length: 6 }, () => rotateSecret(scope, id, HOUR_MS, NOON)));
    expect(ran.won).toBe(4);
    const { data } = await listSecrets(scope, id, NOON);
    const statuses = data.map(({ status }) => status).toSorted();
    expect(statuses).toEqual(["active", "expiring", "expiring", "expiring", "expiring"]);
    const later = await listSecrets(scope, id, NOON + HOUR_MS);
    expect(later.data.filter(({ status }) => status === "active")).toHaveLength(1);
    expect(await refusal(rotateSecret(scope, id, HOUR_MS, NOON))).toBe("conflict");
    await rotateSecret(scope, id, 0, NOON);
    const ended = await listSecrets(scope, id, NOON);
    expect(ended.data.filter(({ status }) => status !== "revoked")).toHaveLength(1);
  });

  it("F34: rotated twice within its grace, the first secret works to its own end", async () => {
    const { scope } = await newTenant(open());
    const { id, secret: first } = await createClient(scope, CLIENT, NOON);
    const { secret: second } = await rotateSecret(scope, id, 24 * HOUR_MS, NOON + 1);
    const { secret: third } = await rotateSecret(scope, id, HOUR_MS, NOON + 2);
    const working = (nowMs: number) =>
      Promise.all([first, second, third].map((it) => good(scope, id, String(it), nowMs)));
    expect(await working(NOON + 3)).toEqual([true, true, true]);
    expect(await working(NOON + HOUR_MS + 2)).toEqual([true, false, true]);
    expect(await working(NOON + 24 * HOUR_MS)).toEqual([true, false, true]);
    expect(await working(NOON + 24 * HOUR_MS + 1)).toEqual([false, false, true]);
  });

  it("change at their revision, and are gone with their secrets", async () => {
    const { scope } = await newTenant(open());
    const { id, secret } = await createClient(scope, CLIENT, NOON);
    const patched = await patchClient(scope, id, 1, { enabled: false }, NOON);
    expect([patched.revision, patched.enabled]).toEqual([2, false]);
    expect(await refusal(patchClient(scope, id, 1, { name: "x" }, NOON))).toBe("version_conflict");
    expect(await refusal(deleteClient(scope, id, 1, NOON))).toBe("version_conflict");
    await deleteClient(scope, id, 2, NOON);
    expect(await findClient(scope, id)).toBeUndefined();
    const { secretId } = parseClientSecret(String(secret)) ?? missing("a secret");
    expect(await findSecret(scope, id, secretId)).toBeUndefined();
    expect(await refusal(addSecret(scope, id, NOON))).toBe("not_found");
    expect(await refusal(rotateSecret(scope, id, 0, NOON))).toBe("not_found");
    const done = (await actions(scope)).filter((action) => action.startsWith("client."));
    expect(done).toEqual(["client.changed", "client.created", "client.deleted"]);
  });

  it("F13: of another tenant are not there", async () => {
    const [ours, theirs] = [await newTenant(open()), await newTenant(open())];
    const { id, secret } = await createClient(ours.scope, CLIENT, NOON);
    const { secretId } = parseClientSecret(String(secret)) ?? missing("a secret");
    expect(await findSecret(theirs.scope, id, secretId)).toBeUndefined();
    expect(await findClient(theirs.scope, id)).toBeUndefined();
    expect(await refusal(rotateSecret(theirs.scope, id, 0, NOON))).toBe("not_found");
    expect(await refusal(revokeSecret(theirs.scope, id, secretId, NOON))).toBe("not_found");
  });
}

function issuerCases(open: Open): void {
  it("F41: one row per issuer and tenant, twenty at most", async () => {
    const { scope } = await newTenant(open());
    await createIssuer(scope, issuerInput(), seal, NOON);
    expect(await refusal(createIssuer(scope, issuerInput(), seal, NOON))).toBe("already_exists");
    for (let n = 1; n < ISSUERS_MAX; n += 1) {
      await createIssuer(scope, issuerInput({ issuer: `https://id-${n}.example.com` }), seal, NOON);
    }
    const more = issuerInput({ issuer: "https://one-more.example.com" });
    expect(await refusal(createIssuer(scope, more, seal, NOON))).toBe("conflict");
    const { scope: other } = await newTenant(open());
    await createIssuer(other, issuerInput(), seal, NOON);
    expect((await trustedIssuers(other)).rows).toHaveLength(1);
  });

  it("F41: only those that are enabled are trusted, and a change needs its revision", async () => {
    const { scope } = await newTenant(open());
    const { id } = await createIssuer(scope, issuerInput(), seal, NOON);
    await patchIssuer(scope, id, 1, { enabled: false }, seal, NOON);
    expect((await trustedIssuers(scope)).rows).toEqual([]);
    const stale = patchIssuer(scope, id, 1, { enabled: true }, seal, NOON);
    expect(await refusal(stale)).toBe("version_conflict");
    await patchIssuer(scope, id, 2, { enabled: true, audience: "other" }, seal, NOON);
    const [row] = (await trustedIssuers(scope)).rows;
    expect(row).toMatchObject({ audience: "other", revision: 3, enabled: true });
    await deleteIssuer(scope, id, 3, NOON);
    expect((await listIssuers(scope, FIRST_PAGE)).data).toEqual([]);
    const done = (await actions(scope)).filter((action) => action.startsWith("issuer."));
    expect(done).toEqual(["issuer.changed", "issuer.changed", "issuer.created", "issuer.deleted"]);
  });
}

const ADA: Person = { subject: "ada", verifiedEmail: "ada@corp.example", name: "Ada" };
const WAY = { stateHash: "state", browserHash: "browser" };

function ssoCases(open: Open): void {
  it("F30: of many who come back by one way at once, one has come back", async () => {
    const { scope } = await newTenant(open());
    const { id } = await createConnection(scope, ssoInput(), seal, NOON);
    const way = { ...WAY, connectionId: id };
    await beginSignIn(scope, way, "https://acme.example/", NOON);
    expect(await takeSignIn(scope, { ...way, browserHash: "other" }, NOON)).toBeUndefined();
    expect(await takeSignIn(scope, { ...way, connectionId: "other" }, NOON)).toBeUndefined();
    const came = await Promise.all([1, 2, 3].map(() => takeSignIn(scope, way, NOON)));
    expect(came.filter((it) => it !== undefined)).toEqual([{ returnTo: "https://acme.example/" }]);
    await beginSignIn(scope, way, "/", NOON);
    expect(await takeSignIn(scope, way, NOON + 10 * 60_000)).toBeUndefined();
    await deleteExpiredSignIns(open(), NOON + 10 * 60_000);
    expect(await takeSignIn(scope, way, NOON)).toBeUndefined();
  });

  it("F30: somebody joins once, however often they come at the same time", async () => {
    const { scope } = await newTenant(open());
    const { id: connectionId } = await createConnection(scope, ssoInput(), seal, NOON);
    const came = { connectionId, person: ADA };
    const place = { email: "ada@corp.example", role: "viewer" };
    const runs = [1, 2, 3].map(() => joinTenant(scope, came, place, NOON));
    const joined = (await Promise.all(runs)).filter((it) => it !== undefined);
    expect(joined).toHaveLength(1);
    expect(await knownUser(scope, connectionId, "ada")).toBe(joined[0]);
    const { data } = await listMembers(scope, FIRST_PAGE);
    expect(data.filter(({ email }) => email === "ada@corp.example")).toHaveLength(1);
    expect(await actions(scope)).toContain("user.joined");
  });

  it("F30: a member is linked by mailbox, and known by subject from then on", async () => {
    const { scope, admin } = await newTenant(open());
    const { id: connectionId } = await createConnection(scope, ssoInput(), seal, NOON);
    const came = { connectionId, person: ADA };
    expect(await linkUser(scope, came, "nobody@corp.example", NOON)).toBeUndefined();
    expect(await knownUser(scope, connectionId, "ada")).toBeUndefined();
    expect(await linkUser(scope, came, admin.email, NOON)).toBe(admin.id);
    expect(await linkUser(scope, came, admin.email, NOON)).toBe(admin.id);
    expect(await knownUser(scope, connectionId, "ada")).toBe(admin.id);
    const { scope: other } = await newTenant(open());
    expect(await knownUser(other, connectionId, "ada")).toBeUndefined();
  });

  it("F30: the claims' role is the member's, but the last administrator stays one", async () => {
    const { scope, admin } = await newTenant(open());
    const { id: connectionId } = await createConnection(scope, ssoInput(), seal, NOON);
    const place = { email: "ada@corp.example", role: "viewer" };
    const ada = (await joinTenant(scope, { connectionId, person: ADA }, place, NOON)) ?? "";
    const roleOf = async (userId: string) =>
      (await listMembers(scope, FIRST_PAGE)).data.find((it) => it.user_id === userId)?.role;
    await settleRole(scope, admin.id, { role: "viewer", denies: false }, NOON);
    expect(await roleOf(admin.id)).toBe("admin");
    await settleRole(scope, ada, { role: "admin", denies: false }, NOON);
    await settleRole(scope, admin.id, { role: "viewer", denies: false }, NOON);
    expect([await roleOf(ada), await roleOf(admin.id)]).toEqual(["admin", "viewer"]);
  });

  it("a connection goes with those it knew, and one slug is one connection", async () => {
    const { scope, admin } = await newTenant(open());
    const { id } = await createConnection(scope, ssoInput(), seal, NOON);
    expect(await refusal(createConnection(scope, ssoInput(), seal, NOON))).toBe("already_exists");
    await linkUser(scope, { connectionId: id, person: ADA }, admin.email, NOON);
    expect(await signInChoices(scope)).toEqual({ data: [{ slug: "corp", name: "Corp" }] });
    await deleteConnection(scope, id, 1, NOON);
    expect(await knownUser(scope, id, "ada")).toBeUndefined();
    expect(await signInChoices(scope)).toEqual({ data: [] });
    expect((await listMembers(scope, FIRST_PAGE)).data.map((it) => it.user_id)).toEqual([admin.id]);
  });
}
