import { and, eq, gt, lte } from "drizzle-orm";
import { rfc3339 } from "../clock.ts";
import type { PlatformScope, TenantScope } from "../db/scope.ts";
import { hashSecret, newSecret } from "../keys/format.ts";
import { type IssuedTicket, TICKET_MS, type TicketBinding } from "./contract.ts";
import { ticket } from "./table.ts";

/** A ticket for one socket to one agent as one principal; whether it may is settled before. */
export async function createTicket(
  scope: TenantScope,
  binding: TicketBinding,
  nowMs: number,
): Promise<IssuedTicket> {
  const secret = newSecret();
  const expiresAtMs = nowMs + TICKET_MS;
  await scope.db.insert(ticket).values({
    tenantId: scope.tenantId,
    ticketHash: await hashSecret(secret),
    ...binding,
    expiresAtMs,
  });
  return { ticket: secret, expires_at: rfc3339(expiresAtMs) };
}

/**
 * Use a ticket up. Finding and removing it is one statement, so of two sockets with one ticket one
 * is opened.
 *
 * @returns  What it is bound to; undefined when it is unknown, used, expired or another tenant's.
 */
export async function consumeTicket(
  scope: TenantScope,
  secret: string,
  nowMs: number,
): Promise<TicketBinding | undefined> {
  const [row] = await scope.db
    .delete(ticket)
    .where(
      and(
        eq(ticket.tenantId, scope.tenantId),
        eq(ticket.ticketHash, await hashSecret(secret)),
        gt(ticket.expiresAtMs, nowMs),
      ),
    )
    .returning({
      agentId: ticket.agentId,
      environment: ticket.environment,
      principal: ticket.principal,
    });
  return row;
}

/** Cron: forget tickets nobody used. */
export async function deleteExpiredTickets(platform: PlatformScope, nowMs: number): Promise<void> {
  await platform.db.delete(ticket).where(lte(ticket.expiresAtMs, nowMs));
}
