/** GET /a/{agent}/chat — a WebSocket to a session of an agent; frames in core/sessions/frames.ts. */
import { z } from "zod";
import { objectName } from "../../core/deployments/release.ts";
import { isId } from "../../core/ids.ts";
import { type Principal, speakerId } from "../../core/principals/contract.ts";
import { Problem, type ProblemData } from "../../core/problem.ts";
import { consumeTicket } from "../../core/tickets/store.ts";
import {
  socketHeaders,
  type SocketGrant,
} from "../../durable-objects/agent-runtime/socket-grant.ts";
import type { Arrival } from "../edge/arrival.ts";
import { take } from "../edge/key-meter.ts";
import { asking } from "../edge/permits.ts";
import { principalOf } from "../edge/principal.ts";
import { answers, newRoutes, open, takes } from "../edge/routes.ts";
import { demandActive } from "../edge/suspension.ts";
import { ByAgent } from "./invoke.ts";
import { ownerOf } from "./homes.ts";
import { liveAgent } from "./live-agents.ts";

const Socket = z.strictObject({
  session: z.string().min(1).max(200).optional(),
  environment: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,31}$/)
    .default("prod"),
  /** From `POST /v1/tickets`, for clients that cannot send a header. */
  ticket: z.string().min(1).max(200).optional(),
  /** The last event seen of `session`: the socket begins behind it. */
  after: z
    .string()
    .regex(/^[0-9]{1,16}$/)
    .transform(Number)
    .pipe(z.int())
    .optional(),
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
    const { session, environment, ticket, after } = c.req.valid("query");
    const principal = await speaker(arrival, ticket);
    const wanted = { agent: c.req.valid("param").agent, environment };
    const agent = await liveAgent({ arrival, principal, ...wanted });
    const { tenantId } = c.get("scope");
    const speaking = { principal: speakerId(principal), sessionId: session };
    return openSocket(c.env, {
      owner: await ownerOf(c.env, tenantId, agent, speaking),
      generation: agent.generation,
      principal: speakerId(principal),
      keyId: principal.kind === "key" ? principal.id : null,
      consoleSession: principal.consoleSession ?? null,
      ...(isId("user", principal.id)
        ? { user: { id: principal.id, beganAtMs: c.get("nowMs") } }
        : {}),
      ...(principal.kind === "app_client" ? { client: principal.id } : {}),
      endsAtMs: principal.endsAtMs ?? null,
      ...(session === undefined ? {} : { session }),
      ...(after === undefined ? {} : { after }),
    });
  },
);

/** @throws Problem  what the object refuses it for */
async function openSocket(env: Env, grant: SocketGrant): Promise<Response> {
  const { tenantId, agentId, environment, replica } = grant.owner;
  const stub = env.AGENT_RUNTIME.getByName(objectName(tenantId, agentId, environment, replica));
  const headers = socketHeaders(grant);
  const answer = await stub.fetch("https://agent-runtime/chat", { headers });
  if (answer.status === 101) return answer;
  throw Problem.from(await answer.json<ProblemData>());
}

/** Who opens the socket, by ticket or by credential; a page must be of this very origin. */
async function speaker(arrival: Arrival, ticket: string | undefined): Promise<Principal> {
  if (ticket !== undefined) return ticketHolder(arrival, ticket);
  const principal = await principalOf(arrival);
  if (principal === undefined) {
    throw new Problem("unauthenticated", "present a ticket, an API key or a token");
  }
  refuseForeignPages(arrival);
  const asked = asker(arrival, principal);
  // A socket by itself costs no credits: its turns do (chat-meter.ts).
  await take(arrival, asked, { credits: 0, once: false });
  return asked;
}

/** @throws Problem `forbidden` */
function asker({ nowMs }: Arrival, principal: Principal): Principal {
  const asked = asking(principal, "agents:invoke", nowMs);
  if (asked instanceof Problem) throw asked;
  return asked;
}

/**
 * Whoever got the ticket, narrowed to what it was made for: anything else is to it as if it did not
 * exist. A page that may not use it does not use it up.
 */
async function ticketHolder(arrival: Arrival, ticket: string): Promise<Principal> {
  refuseForeignPages(arrival);
  if (arrival.at !== "tenant") throw invalidTicket();
  const bound = await consumeTicket(arrival.residence.scope, ticket, arrival.nowMs);
  if (bound === undefined) throw invalidTicket();
  demandActive(arrival);
  const { principal, agentId, environment } = bound;
  return asker(arrival, { ...principal, agentId, environment });
}

function invalidTicket(): Problem {
  return new Problem("invalid_token", "the ticket is not valid here");
}

function refuseForeignPages({ request, origin }: Arrival): void {
  const from = request.headers.get("origin");
  if (from === null || from === origin) return;
  throw new Problem("origin_refused", "a page of another origin may not open a socket here", {
    errors: [{ pointer: "origin", detail: "must be this host's origin" }],
  });
}
