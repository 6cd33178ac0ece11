/**
 * Mail that is owed: an outbox row with the id of what it is about, written in the batch of what it
 * tells of. Neither address nor words are kept there; both are looked up when it is sent.
 *
 * M1  Whoever takes a row has it for `HOLD_MS`; a sender that dies leaves it to the next one.
 * M2  A row goes when its message was taken over, can never be, or has nothing left to tell.
 */
import { and, asc, eq, inArray, lte, sql } from "drizzle-orm";
import { outbox } from "../db/outbox.ts";
import type { PlatformScope } from "../db/scope.ts";
import { newId } from "../ids.ts";

/** Longer than one attempt can take. */
const HOLD_MS = 60_000;
const FIRST_WAIT_MS = 15_000;
const LONGEST_WAIT_MS = 3_600_000;

export type OwedMail = {
  readonly id: string;
  readonly tenantId: string;
  /** `ivt_…` or `cnf_…`. */
  readonly subject: string;
  /** This one included. */
  readonly attempts: number;
};

/** The row of a mail about `subject`, due at once. */
export function owedMail(
  tenantId: string,
  subject: string,
  nowMs: number,
): typeof outbox.$inferInsert & { readonly id: string } {
  const id = newId("event", nowMs);
  return { tenantId, id, kind: "mail", subject, attempts: 0, dueAtMs: nowMs, createdAtMs: nowMs };
}

/** Take one mail to send, or nothing when somebody has it or it is not there. */
export async function takeMail(
  platform: PlatformScope,
  id: string,
  nowMs: number,
): Promise<readonly OwedMail[]> {
  return platform.db
    .update(outbox)
    .set({ attempts: sql`${outbox.attempts} + 1`, dueAtMs: nowMs + HOLD_MS })
    .where(and(eq(outbox.id, id), eq(outbox.kind, "mail"), lte(outbox.dueAtMs, nowMs)))
    .returning(OWED);
}

/** Take up to `limit` mails that are due, oldest first. */
export async function takeDueMail(
  platform: PlatformScope,
  nowMs: number,
  limit: number,
): Promise<readonly OwedMail[]> {
  const due = platform.db
    .select({ id: outbox.id })
    .from(outbox)
    .where(and(eq(outbox.kind, "mail"), lte(outbox.dueAtMs, nowMs)))
    .orderBy(asc(outbox.dueAtMs))
    .limit(limit);
  return platform.db
    .update(outbox)
    .set({ attempts: sql`${outbox.attempts} + 1`, dueAtMs: nowMs + HOLD_MS })
    .where(and(inArray(outbox.id, due), lte(outbox.dueAtMs, nowMs)))
    .returning(OWED);
}

/** Try again later: each time twice as late, within an hour. */
export async function postponeMail(
  platform: PlatformScope,
  { id, attempts }: OwedMail,
  nowMs: number,
): Promise<void> {
  const waitMs = Math.min(FIRST_WAIT_MS * 2 ** Math.min(attempts - 1, 20), LONGEST_WAIT_MS);
  await platform.db
    .update(outbox)
    .set({ dueAtMs: nowMs + waitMs })
    .where(eq(outbox.id, id));
}

const OWED = {
  id: outbox.id,
  tenantId: outbox.tenantId,
  subject: outbox.subject,
  attempts: outbox.attempts,
};
