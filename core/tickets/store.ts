import { and, eq, gt, lte } from "drizzle-orm";
import { auditRow, recorded } from "../audit/store-record.ts";
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
  const { agentId, environment } = binding;
  // The agent it opens: of the ticket itself nothing is kept that could be shown.
  const fact = { action: "ticket.issued", kind: "agent", id: agentId, detail: { environment } };
  const entry = await auditRow(scope, fact, nowMs);
  const ticketHash = await hashSecret(secret);
  await scope.db.batch([
    scope.db
      .insert(ticket)
      .values({ tenantId: scope.tenantId, ticketHash, ...binding, expiresAtMs }),
    recorded(scope, entry),
  ]);
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
