/**
 * Replay of control-plane POSTs.
 *
 * I1  One statement claims a key, so of two parallel requests one runs and the other is told.
 * I2  Only the claimer writes the answer, once; a claim that was taken over can write nothing.
 * I3  No secret is stored.
 */
import { type SQL, and, eq, lte, sql } from "drizzle-orm";
import type { PlatformScope, TenantScope } from "../db/scope.ts";
import { excluded, target } from "../db/statements.ts";
import { newId } from "../ids.ts";
import {
  CLAIM_MS,
  type Claim,
  type Claimed,
  type IdempotencySubject,
  REPLAY_MS,
} from "./contract.ts";
import { withoutSecrets } from "./secrets.ts";
import { idempotency } from "./table.ts";

type Owner = TenantScope | PlatformScope;

/** Take the key, or learn what became of it. Requests without a key never come here. */
export async function claimKey(
  owner: Owner,
  subject: IdempotencySubject,
  nowMs: number,
): Promise<Claimed> {
  const claimId = newId("event", nowMs);
  const { principal, route, key, fingerprint } = subject;
  const abandoned = sql`${idempotency.status} is null and ${lte(idempotency.claimedAtMs, nowMs - CLAIM_MS)}`;
  const [taken] = await owner.db
    .insert(idempotency)
    .values({
      tenantId: tenantOf(owner),
      principal,
      route,
      key,
      fingerprint,
      claimId,
      status: null,
      body: null,
      claimedAtMs: nowMs,
      expiresAtMs: nowMs + REPLAY_MS,
    })
    .onConflictDoUpdate({
      target: target(
        idempotency.tenantId,
        idempotency.principal,
        idempotency.route,
        idempotency.key,
      ),
      set: {
        fingerprint: excluded(idempotency.fingerprint),
        claimId: excluded(idempotency.claimId),
        status: null,
        body: null,
        claimedAtMs: excluded(idempotency.claimedAtMs),
        expiresAtMs: excluded(idempotency.expiresAtMs),
      },
      setWhere: sql`(${abandoned}) or ${lte(idempotency.expiresAtMs, nowMs)}`,
    })
    .returning({ claimId: idempotency.claimId });
  if (taken !== undefined) return { state: "new", claim: { principal, route, key, claimId } };
  const [row] = await owner.db.select().from(idempotency).where(rowOf(owner, subject));
  if (row === undefined) return { state: "running" }; // abandoned between the two statements
  if (row.fingerprint !== fingerprint) return { state: "mismatch" };
  if (row.status === null) return { state: "running" };
  return { state: "done", status: row.status, body: row.body };
}

/** Store the answer for replay. */
export async function completeKey(
  owner: Owner,
  claim: Claim,
  answer: { readonly status: number; readonly body: unknown },
): Promise<void> {
  await owner.db
    .update(idempotency)
    .set({ status: answer.status, body: withoutSecrets(answer.body) })
    .where(and(rowOf(owner, claim), eq(idempotency.claimId, claim.claimId)));
}

/** Give the key back: the request was refused before anything was done, which is not stored. */
export async function abandonKey(owner: Owner, claim: Claim): Promise<void> {
  await owner.db
    .delete(idempotency)
    .where(and(rowOf(owner, claim), eq(idempotency.claimId, claim.claimId)));
}

/** Cron: forget answers older than a day. */
export async function deleteExpiredAnswers(platform: PlatformScope, nowMs: number): Promise<void> {
  await platform.db.delete(idempotency).where(lte(idempotency.expiresAtMs, nowMs));
}

function rowOf(
  owner: Owner,
  of: Pick<IdempotencySubject, "principal" | "route" | "key">,
): SQL | undefined {
  return and(
    eq(idempotency.tenantId, tenantOf(owner)),
    eq(idempotency.principal, of.principal),
    eq(idempotency.route, of.route),
    eq(idempotency.key, of.key),
  );
}

function tenantOf(owner: Owner): string {
  return "tenantId" in owner ? owner.tenantId : "platform";
}
