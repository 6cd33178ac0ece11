/** GET /a/{agent}/chat — a WebSocket to a session of an agent; frames in core/sessions/frames.ts. */
import { z } from "zod";
import { holds, type Principal } from "../../core/principals/contract.ts";
import { Problem } from "../../core/problem.ts";
import { consumeTicket } from "../../core/tickets/store.ts";
import { SOCKET_HEADER, type SocketGrant } from "../../durable-objects/agent-runtime/chat.ts";
import { objectName } from "../../core/deployments/release.ts";
import type { Arrival } from "../edge/arrival.ts";
import { principalOf } from "../edge/principal.ts";
import { answers, newRoutes, open, takes } from "../edge/routes.ts";
import { ByAgent } from "./invoke.ts";
import { liveAgent } from "./live-agents.ts";

const Socket = z.strictObject({
  session: z.string().min(1).max(200).optional(),
  environment: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,31}$/)
    .default("prod"),
  /** From `POST /v1/tickets`, for clients that cannot send a header. */
  ticket: z.string().min(1).max(200).optional(),
});

export const chat = newRoutes().get(
  "/a/:agent/chat",
  open("Open a chat socket (scope agents:invoke, or a ticket)"),
  takes("param", ByAgent),
  takes("query", Socket),
  answers(101, null, "The socket."),
  async (c) => {
    const arrival = c.get("arrival");
    if (c.req.header("upgrade")?.toLowerCase() !== "websocket") {
      throw new Problem("bad_request", "this address speaks WebSocket only", {
        errors: [{ pointer: "upgrade", detail: "must be websocket" }],
      });
    }
    const { session, environment, ticket } = c.req.valid("query");
    const wanted = { agent: c.req.valid("param").agent, environment };
    const { principal, agentId } = await speaker(arrival, ticket);
    const agent = await liveAgent({ arrival, principal, ...wanted });
    if (agentId !== undefined && agentId !== `${agent.agentId} ${environment}`)
      throw invalidTicket();
    const { tenantId } = c.get("scope");
    const owner = { tenantId, agentId: agent.agentId, environment, replica: 0 };
    const grant: SocketGrant = {
      owner,
      generation: agent.generation,
      principal,
      checkedAtMs: arrival.nowMs,
      expiresAtMs: null,
      ...(session === undefined ? {} : { sessionId: session }),
    };
    const stub = c.env.AGENT_RUNTIME.getByName(objectName(tenantId, agent.agentId, environment, 0));
    const headers = { upgrade: "websocket", [SOCKET_HEADER]: JSON.stringify(grant) };
    return stub.fetch("https://agent-runtime/chat", { headers });
  },
);

type Speaker = { readonly principal: Principal; readonly agentId: string | undefined };

/** Who opens the socket, by ticket or by credential; a page must be of this very origin. */
async function speaker(arrival: Arrival, ticket: string | undefined): Promise<Speaker> {
  const origin = arrival.request.headers.get("origin");
  if (ticket !== undefined && arrival.at === "tenant") {
    if (origin !== null && origin !== arrival.origin) throw foreignPage();
    const bound = await consumeTicket(arrival.residence.scope, ticket, arrival.nowMs);
    if (bound === undefined) throw invalidTicket();
    return { principal: bound.principal, agentId: `${bound.agentId} ${bound.environment}` };
  }
  const principal = await principalOf(arrival);
  if (principal === undefined) {
    throw new Problem("unauthenticated", "present a ticket, an API key or a token");
  }
  if (origin !== null && origin !== arrival.origin) throw foreignPage();
  if (!holds(principal, "agents:invoke")) {
    throw new Problem("forbidden", "the scope agents:invoke is needed");
  }
  return { principal, agentId: undefined };
}

function invalidTicket(): Problem {
  return new Problem("invalid_token", "the ticket is not valid here");
}

function foreignPage(): Problem {
  return new Problem("origin_refused", "a page of another origin may not open a socket here", {
    errors: [{ pointer: "origin", detail: "must be this host's origin" }],
  });
}
