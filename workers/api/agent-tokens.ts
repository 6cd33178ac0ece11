/** /v1/agents/{id}/tokens — keys that open one agent and nothing else. */
import { CreateAgentToken, IssuedKey } from "../../core/keys/contract.ts";
import { createKey } from "../../core/keys/store.ts";
import { replays } from "../edge/idempotency.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { reachAgent } from "./narrowing.ts";
import { ByIdOrSlug, etag } from "./parameters.ts";

export const agentTokens = newRoutes().post(
  "/:id/tokens",
  may("keys:write", "Make a key that opens this agent alone"),
  replays(),
  takes("param", ByIdOrSlug),
  takes("json", CreateAgentToken),
  answers(201, IssuedKey, "The key; its secret is shown this once. It is listed with the others."),
  async (c) => {
    const { id: agent } = await reachAgent(c, c.req.valid("param").id);
    const wanted = { ...c.req.valid("json"), agent };
    const key = await createKey(c.get("scope"), c.get("principal"), wanted, c.get("nowMs"));
    return c.json(key, 201, { ...etag(key.revision), location: `/v1/keys/${key.id}` });
  },
);
