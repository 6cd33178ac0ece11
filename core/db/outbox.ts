/**
 * Messages that must reach a queue: written in the batch of the change they tell of, sent at once
 * by whoever wrote them, and sent again by cron until the consumer has acknowledged (GUARANTEES
 * §3 rows 19–20). The queue is a speed-up; this row is the record.
 */
import { and, asc, eq, inArray, lte, sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { PlatformScope } from "./scope.ts";

/** Ids only (DECISIONS 29). */
export type DeploymentMessage = {
  readonly outboxId: string;
  readonly tenantId: string;
  readonly deploymentId: string;
};

/** `agent_end`: a deleted agent, whose objects are to be erased. */
type OutboxKind = "deployment" | "mail" | "agent_end";

export const outbox = sqliteTable(
  "outbox",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    kind: text("kind").$type<OutboxKind>().notNull(),
    /** Id of what the message is about. */
    subject: text("subject").notNull(),
    attempts: integer("attempts").notNull(),
    dueAtMs: integer("due_at_ms").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    index("outbox_id").on(t.id),
    index("outbox_due").on(t.dueAtMs),
  ],
);

/** How long a sender is given before cron sends again. */
export const RESEND_MS = 30_000;

/**
 * Take up to `limit` deployment messages that are due, oldest first, and put each off by `RESEND_MS`.
 *
 * Claiming and counting are one statement, so of two crons at once one gets a row.
 *
 * @param all  Also what is not due yet: every message but those written or taken at `nowMs`.
 */
export async function dueOutbox(
  platform: PlatformScope,
  nowMs: number,
  limit: number,
  all = false,
): Promise<readonly DeploymentMessage[]> {
  const rows = await taken(platform, "deployment", nowMs, limit, all);
  return rows
    .toSorted((a, b) => a.createdAtMs - b.createdAtMs)
    .map((row) => ({ outboxId: row.id, tenantId: row.tenantId, deploymentId: row.subject }));
}

/** Agents that were deleted and whose objects are not erased yet, put off as above. */
export async function dueAgentEnds(
  platform: PlatformScope,
  nowMs: number,
  limit: number,
): Promise<
  readonly { readonly outboxId: string; readonly tenantId: string; readonly agentId: string }[]
> {
  const rows = await taken(platform, "agent_end", nowMs, limit, false);
  return rows.map(({ id, tenantId, subject }) => ({ outboxId: id, tenantId, agentId: subject }));
}

async function taken(
  platform: PlatformScope,
  kind: OutboxKind,
  nowMs: number,
  limit: number,
  all: boolean,
): Promise<readonly (typeof outbox.$inferSelect)[]> {
  const dueByMs = all ? nowMs + RESEND_MS - 1 : nowMs;
  const due = platform.db
    .select({ id: outbox.id })
    .from(outbox)
    .where(and(eq(outbox.kind, kind), lte(outbox.dueAtMs, dueByMs)))
    .orderBy(asc(outbox.dueAtMs))
    .limit(limit);
  return platform.db
    .update(outbox)
    .set({ attempts: sql`${outbox.attempts} + 1`, dueAtMs: nowMs + RESEND_MS })
    .where(and(inArray(outbox.id, due), lte(outbox.dueAtMs, dueByMs)))
    .returning();
}

/** The consumer is done with it; again is no error. */
export async function acknowledgeOutbox(platform: PlatformScope, id: string): Promise<void> {
  await platform.db.delete(outbox).where(eq(outbox.id, id));
}
