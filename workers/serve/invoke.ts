/** POST /a/{agent}/invoke — one turn with an agent: waited for, streamed or left to run. */
import { z } from "zod";
import type { LiveAgent } from "../../core/deployments/contract.ts";
import { Invocation, InvokeBody, terminal } from "../../core/invocations/contract.ts";
import { type Principal, speakerId } from "../../core/principals/contract.ts";
import { Problem } from "../../core/problem.ts";
import type { Answered, Call, Owner } from "../../durable-objects/agent-runtime/contract.ts";
import { runtimeOf } from "../api/runtime.ts";
import type { Arrival } from "../edge/arrival.ts";
import { fingerprintOf, idempotencyKeyOf } from "../edge/idempotency.ts";
import { traceparentOf } from "../edge/request-id.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { ownerOf } from "./homes.ts";
import { liveAgent } from "./live-agents.ts";
import { madeFor } from "./made-for.ts";
import { preferenceOf } from "./prefer.ts";

const INVOKE_LIMIT_BYTES = 10 * 1024 * 1024;

export const ByAgent = z.object({ agent: z.string().min(1).max(80) });
const InEnvironment = z.strictObject({
  environment: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,31}$/)
    .default("prod"),
});

/** A conversation ends with what is to be answered. */
const Body = InvokeBody.refine(
  ({ input }) => typeof input === "string" || input.at(-1)?.role === "user",
  { path: ["input"], error: "the last message must be the user's" },
);

export const invoke = newRoutes().post(
  "/a/:agent/invoke",
  may("agents:invoke", "Invoke an agent", { once: true }),
  takes("param", ByAgent),
  takes("query", InEnvironment),
  takes("json", Body, { limitBytes: INVOKE_LIMIT_BYTES }),
  answers(
    200,
    Invocation,
    "The invocation, terminal. With `Accept: text/event-stream`, its events.",
  ),
  answers(202, Invocation, "Accepted and still open; follow `Location`."),
  async (c) => {
    const principal = c.get("principal");
    const arrival = c.get("arrival");
    const { environment } = c.req.valid("query");
    const body = c.req.valid("json");
    const wanted = { agent: c.req.valid("param").agent, environment, body };
    const found = liveAgent({ arrival, principal, ...wanted });
    const agent = found instanceof Promise ? await found : found;
    const wish = preferenceOf(c.req.header("prefer"), c.req.header("accept"));
    const key = idempotencyKeyOf(arrival.request.headers);
    const asked = { arrival, principal, agent, body, key, deltas: wish.kind !== "wait" };
    const owner = homeOf(c.env, asked);
    const call = callOf(asked, owner instanceof Promise ? await owner : owner);
    const runtime = runtimeOf(c.env, call.owner);
    if (wish.kind === "stream") return streamed(Problem.unwrap(await runtime.stream(call)));
    return answered(Problem.unwrap(await runtime.invoke(call, wish.waitMs)));
  },
);

type Asked = {
  readonly arrival: Arrival;
  readonly principal: Principal;
  readonly agent: LiveAgent;
  readonly body: InvokeBody;
  /** `Idempotency-Key`. */
  readonly key: string | undefined;
  /** The caller watches, now or later: the model's words go to the log as they come. */
  readonly deltas: boolean;
};

function homeOf(env: Env, { principal, agent, body, key }: Asked): Owner | Promise<Owner> {
  return ownerOf(env, principal.tenantId ?? "", agent, {
    principal: speakerId(principal),
    sessionId: body.session_id,
    idempotencyKey: key,
  });
}

function callOf({ arrival, principal, agent, body, key, deltas }: Asked, owner: Owner): Call {
  const { request, requestId } = arrival;
  const traceparent = traceparentOf(request.headers);
  return {
    owner,
    generation: agent.generation,
    principal: speakerId(principal),
    fingerprint: key === undefined ? "" : fingerprintOf("POST", `invoke ${agent.agentId}`, body),
    input: JSON.stringify(body.input),
    requestId,
    deltas,
    ...(key === undefined ? {} : { idempotencyKey: key }),
    ...(body.session_id === undefined ? {} : { sessionId: body.session_id }),
    ...madeFor(principal, body.metadata),
    ...(body.max_cost_micros === undefined ? {} : { maxCostMicros: body.max_cost_micros }),
    ...(traceparent === undefined ? {} : { traceparent }),
  };
}

function answered({ body, id, status, replayed }: Answered): Response {
  const headers = new Headers({ "content-type": "application/json" });
  if (replayed) headers.set("idempotency-replayed", "true");
  if (terminal(status)) return new Response(body, { headers });
  headers.set("location", `/v1/invocations/${id}`);
  return new Response(body, { status: 202, headers });
}

function streamed(accepted: {
  readonly events: ReadableStream<Uint8Array>;
  readonly invocationId: string;
  readonly replayed: boolean;
}): Response {
  return new Response(accepted.events, {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "content-location": `/v1/invocations/${accepted.invocationId}`,
      ...(accepted.replayed ? { "idempotency-replayed": "true" } : {}),
    },
  });
}
