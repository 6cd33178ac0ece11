/** /v1/tickets — a browser's way to open a WebSocket: single use, half a minute, one agent. */
import { CreateTicket, IssuedTicket } from "../../core/tickets/contract.ts";
import { createTicket } from "../../core/tickets/store.ts";
import { reachAgent } from "../api/narrowing.ts";
import { replays } from "../edge/idempotency.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";

export const tickets = newRoutes().post(
  "/",
  may("agents:invoke", "Get a ticket for a WebSocket", { credits: 0 }),
  replays(),
  takes("json", CreateTicket),
  answers(201, IssuedTicket, "The ticket, good for one socket."),
  async (c) => {
    const { agent, environment } = c.req.valid("json");
    const principal = c.get("principal");
    const { id: agentId } = await reachAgent(c, agent, environment);
    const binding = { agentId, environment, principal };
    return c.json(await createTicket(c.get("scope"), binding, c.get("nowMs")), 201);
  },
);
