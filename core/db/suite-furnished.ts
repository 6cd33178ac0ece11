/** A tenant with at least one row in every table, for tests that walk the tables. */
import { createAssignment } from "../access/store-assignments.ts";
import { createRole } from "../access/store-roles.ts";
import { keepCheckpoint } from "../audit/store-chain.ts";
import { patchContentPolicy } from "../content/store.ts";
import { putBranding } from "../branding/store.ts";
import { rfc3339 } from "../clock.ts";
import { createClient } from "../clients/store.ts";
import { createConsoleSession } from "../console-sessions/store.ts";
import { ensureDataKeys } from "../data-keys/store.ts";
import { beginBuilding, createDeployment, finishLive } from "../deployments/store.ts";
import { erasure } from "../erasure/table.ts";
import { claimKey } from "../idempotency/store.ts";
import { createHostname } from "../hostnames/store.ts";
import { newId } from "../ids.ts";
import { chunksOf, createBatch } from "../batches/store.ts";
import { upsertLedger } from "../invocations/store.ts";
import { createInvitation } from "../invitations/store.ts";
import { createBudget } from "../budgets/store.ts";
import { createLimit } from "../limits/store.ts";
import { createStop } from "../stops/store.ts";
import { createIssuer } from "../issuers/store.ts";
import { createKey } from "../keys/store.ts";
import { createProvider } from "../providers/store.ts";
import { beginFamily } from "../refresh/store.ts";
import { buildRelease } from "../releases/store.ts";
import { createTicket } from "../tickets/store.ts";
import { createConnection } from "../sso/store.ts";
import { linkUser } from "../sso/store-people.ts";
import { beginSignIn } from "../sso/store-sign-in.ts";
import { createSecret } from "../secrets/store.ts";
import { secretReference } from "../secrets/table.ts";
import { beginTransfer } from "../transfer/store.ts";
import type { PlatformScope } from "./scope.ts";
import { ledgerEntry } from "./suite-ledger.ts";
import { CLIENT, issuerInput, ssoInput } from "./suite-machines.ts";
import { NOON, missing, newAgent, newTenant, principalOf } from "./suite-world.ts";

const forgeFixed = async (_tenantId: string, id: string) => ({
  id,
  kid: "k",
  wrapped: "v1.k.nonce.sealed",
  fingerprint: "f",
});

export async function furnishedTenant(platform: PlatformScope) {
  const made = await newTenant(platform);
  const { scope, key } = made;
  const { agent } = await newAgent(scope);
  const body = { slug: "p", kind: "openai", base_url: "https://p.test", api_key: "k" } as const;
  await createProvider(scope, body, async () => "sealed", NOON);
  await ensureDataKeys(scope, forgeFixed, NOON);
  const secret = { name: "CRM", value: "crm-value", description: "" };
  await createSecret(scope, secret, { seal: () => "sealed", open: () => "" }, NOON);
  const { tenantId } = scope;
  await scope.db.insert(secretReference).values({ tenantId, versionId: "ver_x", name: "CRM" });
  const wish = { version: 1, environment: "prod" };
  const { deployment } = await createDeployment(scope, agent.id, wish, NOON);
  const build = (await beginBuilding(scope, deployment.id, NOON)) ?? missing("a build");
  await buildRelease(scope, build, 0, () => undefined, NOON);
  await finishLive(scope, build, NOON);
  const who = { agentId: agent.id, environment: "prod", principalId: key.id, speaker: key.id };
  const asked = { ...who, idem: null, fingerprint: "f", notices: [], redrivenFrom: null };
  const chunks = chunksOf([{ input: "hello" }]);
  const { id: batchId } = await createBatch(scope, asked, chunks, () => "sealed", NOON);
  await upsertLedger(scope, [{ ...ledgerEntry(agent.id), batchId }]);
  await createKey(scope, principalOf(scope), { name: "k", scopes: ["agents:read"] }, NOON);
  await createConsoleSession(scope, { keyId: key.id }, NOON);
  const binding = { agentId: agent.id, environment: "prod", principal: principalOf(scope) };
  await createTicket(scope, binding, NOON);
  const subject = { principal: key.id, route: "POST /x", fingerprint: "f" };
  await claimKey(scope, { ...subject, key: newId("request", NOON) }, NOON);
  const mark = { seq: 1, hash: "h", at: rfc3339(NOON), kid: "k", signature: "a.b.c" };
  await keepCheckpoint(scope, mark);
  await createHostname(scope, `${made.slug}.companyx.com`, "token", NOON);
  await patchContentPolicy(scope, 1, { sealing: true }, async () => "sealed", NOON);
  await putBranding(scope, 1, { name: "N", light: {}, dark: {} }, NOON);
  await createInvitation(scope, { email: "guest@example.com", role: "viewer" }, NOON);
  await beginFamily(scope, { userId: made.admin.id, wanted: null }, NOON);
  await beginTransfer(platform, { tenantId, kind: "export", requestedBy: "platform" }, NOON);
  const ended = { phase: "certify", requestedAtMs: NOON, erasedAtMs: NOON } as const;
  const id = newId("erasure", NOON);
  const kept = { slug: `was-${made.slug}`, slugFreeAtMs: NOON, requestedBy: "platform" };
  await scope.db.insert(erasure).values({ tenantId, id, ...kept, ...ended });
  await createClient(scope, CLIENT, NOON);
  const tenantWide = { level: "tenant" } as const;
  await createLimit(scope, { ...tenantWide, per: "day", limit: 9 }, NOON);
  const money = { period: "month", amount_micros: 9, when_exhausted: "fail" } as const;
  await createBudget(scope, { ...tenantWide, ...money, warn_at_percent: [80] }, NOON);
  await createStop(scope, { level: "user", subject: "mallory", reason: "Fraud." }, NOON);
  await createIssuer(scope, issuerInput(), async () => "sealed", NOON);
  const sso = await createConnection(scope, ssoInput(), async () => "sealed", NOON);
  const person = { subject: "ada", verifiedEmail: "ada@example.com", name: "Ada" };
  await linkUser(scope, { connectionId: sso.id, person }, made.admin.email, NOON);
  const way = { stateHash: "s", browserHash: "b", connectionId: sso.id };
  await beginSignIn(scope, way, "/", NOON);
  const giver = principalOf(scope);
  const statements = [{ effect: "allow" as const, scopes: ["agents:read"] }];
  const role = { slug: "readers", name: "Readers", description: "", statements };
  await createRole(scope, giver, role, NOON);
  await createAssignment(scope, giver, { principal: made.admin.id, role: "readers" }, NOON);
  return { ...made, agent };
}
