/**
 * Deployments: asking for one. What becomes of it is decided in `store-builds.ts` (its build begins
 * or fails) and `store-pointer.ts` (it goes live or was overtaken), and read in `store-reads.ts` and
 * `store-live.ts`. They share these rules:
 *
 * S1  `queued → building → live → superseded`, `queued | building → failed`, `building →
 *     superseded`: each a guarded update, and its event is written where that update is found.
 * S2  A deployment and its outbox row are one batch: the row and the message cannot disagree.
 * S3  A generation is handed out once. A build, and a change of a provider, each has its own.
 * S4  What is live changes only to a higher generation and to a later deployment. A build whose
 *     generation was passed by a provider's change is `behind`, and is built again.
 * S5  Every function may be called again: a redelivered message changes nothing.
 */
import { and, eq, exists, inArray, sql } from "drizzle-orm";
import { oneAgent } from "../agents/live.ts";
import { agent } from "../agents/table.ts";
import { auditRow, recordedWhere } from "../audit/store-record.ts";
import { RESEND_MS, outbox } from "../db/outbox.ts";
import type { TenantScope } from "../db/scope.ts";
import { insertWhere } from "../db/statements.ts";
import { environmentExists, hasEnvironment } from "../environments/store.ts";
import { newId } from "../ids.ts";
import { Problem } from "../problem.ts";
import { version } from "../versions/table.ts";
import type { CreateDeployment, Deployment } from "./contract.ts";
import { toDeployment } from "./store-reads.ts";
import { eventsOf, one } from "./store-transitions.ts";
import { deployment } from "./table.ts";

/**
 * Ask for a version to be made live. The caller sends the message at once; cron sends it again
 * until the consumer has acknowledged (S2).
 *
 * @throws Problem `not_found` for the agent | `invalid` for a version or an environment it has not.
 */
export async function createDeployment(
  scope: TenantScope,
  agentId: string,
  input: CreateDeployment,
  nowMs: number,
): Promise<{ readonly deployment: Deployment; readonly outboxId: string }> {
  const { db, tenantId } = scope;
  const id = newId("deployment", nowMs);
  const outboxId = newId("event", nowMs);
  const fact = { action: "deployment.created", kind: "deployment", id };
  const entry = await auditRow(scope, { ...fact, detail: { agent: agentId, ...input } }, nowMs);
  const change = entry.id;
  const asked = and(oneAgent(scope, agentId), eq(agent.lastChangeId, change));
  const owner = db.select({ id: agent.id }).from(agent).where(asked);
  const sequence = db.select({ sequence: agent.deployments }).from(agent).where(asked);
  const numbered = db
    .select({ id: version.id })
    .from(version)
    .where(
      and(
        eq(version.tenantId, tenantId),
        eq(version.agentId, agent.id),
        eq(version.number, input.version),
      ),
    );
  const row = {
    tenantId,
    id,
    agentId: sql`${version.agentId}`,
    versionId: sql`${version.id}`,
    version: sql`${version.number}`,
    environment: input.environment,
    sequence: sql`${sequence}`,
    status: "queued" as const,
    error: null,
    generation: null,
    revision: 1,
    lastChangeId: change,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  };
  const wanted = and(
    eq(version.tenantId, tenantId),
    inArray(version.agentId, owner),
    eq(version.number, input.version),
  );
  const message = {
    tenantId,
    id: outboxId,
    kind: "deployment" as const,
    subject: id,
    attempts: 0,
    dueAtMs: nowMs + RESEND_MS,
    createdAtMs: nowMs,
  };
  const [, [made]] = await db.batch([
    db
      .update(agent)
      .set({ deployments: sql`${agent.deployments} + 1`, lastChangeId: change })
      .where(
        and(
          oneAgent(scope, agentId),
          exists(numbered),
          environmentExists(scope, input.environment),
        ),
      ),
    insertWhere(db, deployment, row, version, wanted).returning(),
    eventsOf(scope, change, "asked for", nowMs),
    insertWhere(db, outbox, message, deployment, one(scope, id)),
    recordedWhere(scope, entry, deployment, one(scope, id)),
  ]);
  if (made === undefined) throw await whyNot(scope, agentId, input);
  const queued = { atMs: nowMs, status: "queued" as const, detail: "asked for" };
  return { deployment: toDeployment(made, [queued]), outboxId };
}

/** Why nothing was made; each answer is about what the caller named. */
async function whyNot(
  scope: TenantScope,
  agentId: string,
  input: CreateDeployment,
): Promise<Problem> {
  const [found] = await scope.db
    .select({ id: agent.id })
    .from(agent)
    .where(oneAgent(scope, agentId));
  if (found === undefined) return new Problem("not_found", "no such agent");
  const known = await hasEnvironment(scope, input.environment);
  const place = known
    ? { pointer: "/version", detail: "the agent has no such version" }
    : { pointer: "/environment", detail: "no such environment" };
  return new Problem("invalid", "there is nothing to deploy", { errors: [place] });
}
