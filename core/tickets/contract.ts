import { z } from "zod";
import { DEFAULT_ENVIRONMENT } from "../environments/contract.ts";
import { IdOrSlug, Slug } from "../names.ts";
import type { Principal } from "../principals/contract.ts";

/** How long a ticket opens a socket. */
export const TICKET_MS = 30_000;

/** Body of `POST /v1/tickets`. */
export const CreateTicket = z.strictObject({
  agent: IdOrSlug,
  environment: Slug.default(DEFAULT_ENVIRONMENT),
});
export type CreateTicket = z.infer<typeof CreateTicket>;

export const IssuedTicket = z.object({ ticket: z.string(), expires_at: z.string() });
export type IssuedTicket = z.infer<typeof IssuedTicket>;

/** What a ticket is bound to, besides its tenant. */
export type TicketBinding = {
  readonly agentId: string;
  readonly environment: string;
  readonly principal: Principal;
};
