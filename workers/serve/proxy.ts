/** ANY /a/{agent}/proxy/* — the agent's upstream under the agent's address, stored and replayed. */
import type { Context } from "hono";
import { z } from "zod";
import type { LiveAgent } from "../../core/deployments/contract.ts";
import { Invocation } from "../../core/invocations/contract.ts";
import { speakerId } from "../../core/principals/contract.ts";
import { Problem } from "../../core/problem.ts";
import { storedBody } from "../../core/upstreams/body.ts";
import type { ProxyRequest } from "../../core/upstreams/contract.ts";
import { forwardedHeaders } from "../../core/upstreams/headers.ts";
import { targetOf } from "../../core/upstreams/target.ts";
import type { Call } from "../../durable-objects/agent-runtime/contract.ts";
import type { Proxied } from "../../durable-objects/agent-runtime/contract-upstream.ts";
import { runtimeOf } from "../api/runtime.ts";
import { INVOKE_BODY_LIMIT, wholeBytes } from "../edge/body.ts";
import type { AppEnv, WithPrincipal } from "../edge/context.ts";
import { fingerprintOf, idempotencyKeyOf } from "../edge/idempotency.ts";
import { errorResponse } from "../edge/reply.ts";
import { traceparentOf } from "../edge/request-id.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { ownerOf } from "./homes.ts";
import { ByAgent } from "./invoke.ts";
import { liveAgent } from "./live-agents.ts";
import { preferenceOf } from "./prefer.ts";

const PATH = "/a/:agent/proxy/*";

/** The query is the upstream's: what is for Berth stands in fields of its own. */
const ForBerth = z.object({
  "berth-environment": z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,31}$/)
    .default("prod"),
  /** Requests of one session reach the upstream one after the other. */
  "berth-session": z.string().min(1).max(200).optional(),
});
type ForBerth = z.infer<typeof ForBerth>;

const permitted = may("agents:invoke", "Ask an agent's upstream", { once: true });
const ofAgent = takes("param", ByAgent);
const forBerth = takes("header", ForBerth);
const passedOn = answers(200, null, "What the upstream answers, its status included.");
const kept = answers(202, Invocation, "Kept until the upstream is there; follow `Location`.");

type Asking = Context<AppEnv & WithPrincipal>;

/** `HEAD` comes as a `GET`. */
export const proxy = newRoutes()
  .get(PATH, permitted, ofAgent, forBerth, passedOn, kept, (c) =>
    forwarded(c, c.req.valid("param").agent, c.req.valid("header")),
  )
  .post(PATH, permitted, ofAgent, forBerth, passedOn, kept, (c) =>
    forwarded(c, c.req.valid("param").agent, c.req.valid("header")),
  )
  .put(PATH, permitted, ofAgent, forBerth, passedOn, kept, (c) =>
    forwarded(c, c.req.valid("param").agent, c.req.valid("header")),
  )
  .patch(PATH, permitted, ofAgent, forBerth, passedOn, kept, (c) =>
    forwarded(c, c.req.valid("param").agent, c.req.valid("header")),
  )
  .delete(PATH, permitted, ofAgent, forBerth, passedOn, kept, (c) =>
    forwarded(c, c.req.valid("param").agent, c.req.valid("header")),
  );

async function forwarded(c: Asking, name: string, fields: ForBerth): Promise<Response> {
  const [arrival, principal] = [c.get("arrival"), c.get("principal")];
  const { raw } = c.req;
  const path = pathOf(raw.url);
  const asked = { method: raw.method, path };
  const environment = fields["berth-environment"];
  const agent = await liveAgent({ arrival, principal, agent: name, environment, body: asked });
  const bytes = await wholeBytes(raw, INVOKE_BODY_LIMIT);
  const request = { ...asked, headers: forwardedHeaders(raw.headers), body: storedBody(bytes) };
  const call = await callOf(c, agent, request, fields["berth-session"]);
  const { waitMs } = waitOf(c.req.header("prefer"));
  const runtime = runtimeOf(c.env, call.owner);
  return answered(
    c,
    Problem.unwrap(await runtime.proxy({ ...call, sizeBytes: bytes.length }, waitMs)),
  );
}

/** An event stream is passed through like everything else: it is the upstream's. */
function waitOf(prefer: string | undefined): { readonly waitMs: number } {
  const wish = preferenceOf(prefer, undefined);
  return wish.kind === "stream" ? { waitMs: 0 } : wish;
}

/** As it came, from behind the route's own part on. @throws Problem `bad_request` */
function pathOf(url: string): string {
  const { pathname, search } = new URL(url);
  const below = /^\/a\/[^/]+\/proxy(.*)$/.exec(pathname)?.[1];
  const path = `${below}${search}`;
  // Whatever the upstream is called and wherever below it its folder is. Routes go by the address as
  // it was written: read as one, it may not be below this one's at all.
  if (below !== undefined && targetOf("https://upstream/", path) !== undefined) return path;
  throw new Problem("bad_request", "the path leaves the upstream");
}

async function callOf(
  c: Asking,
  agent: LiveAgent,
  request: ProxyRequest,
  sessionId: string | undefined,
): Promise<Call> {
  const { headers } = c.req.raw;
  const principal = c.get("principal");
  const key = idempotencyKeyOf(headers);
  const traceparent = traceparentOf(headers);
  const { method, path, body } = request;
  const speaker = speakerId(principal);
  const addressed = { principal: speaker, sessionId, idempotencyKey: key };
  return {
    owner: await ownerOf(c.env, principal.tenantId ?? "", agent, addressed),
    generation: agent.generation,
    principal: speaker,
    fingerprint:
      key === undefined ? "" : fingerprintOf(method, `proxy ${agent.agentId}${path}`, body),
    input: JSON.stringify({ request }),
    requestId: c.get("requestId"),
    deltas: false,
    proxied: true,
    ...(key === undefined ? {} : { idempotencyKey: key }),
    ...(sessionId === undefined ? {} : { sessionId }),
    ...(traceparent === undefined ? {} : { traceparent }),
  };
}

function answered(c: Asking, proxied: Proxied): Response {
  const response = responseOf(c, proxied);
  response.headers.set("berth-invocation", proxied.id);
  if (proxied.replayed) response.headers.set("idempotency-replayed", "true");
  if (proxied.kind !== "answer") response.headers.set("location", `/v1/invocations/${proxied.id}`);
  return response;
}

function responseOf(c: Asking, proxied: Proxied): Response {
  if (proxied.kind === "answer") return passed(proxied);
  if (proxied.kind === "failed") {
    return errorResponse(Problem.from(proxied.problem), c.get("requestId"), c.req.raw);
  }
  const headers = { "content-type": "application/json" };
  return new Response(proxied.body, { status: 202, headers });
}

/**
 * What an upstream says is shown at the tenant's own address, next to its console: a page of it
 * runs no script there and is of no origin.
 */
function passed(answer: Extract<Proxied, { readonly kind: "answer" }>): Response {
  const { httpStatus, body } = answer;
  const headers = new Headers({ ...answer.headers });
  headers.set("content-security-policy", "sandbox");
  headers.set("cache-control", headers.get("cache-control") ?? "no-store");
  const empty = httpStatus === 204 || httpStatus === 205 || httpStatus === 304;
  const status = httpStatus >= 200 && httpStatus <= 599 ? httpStatus : 502;
  return new Response(empty ? null : body, { status, headers });
}
