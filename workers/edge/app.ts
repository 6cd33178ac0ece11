/**
 * The way in. In order, for every request: request id, preflight, host; then the app of that host
 * kind, which begins with the tenant, and whose routes check principal, scope and input; then the
 * headers that all answers have.
 *
 * A host that is not ours, a reserved name and an unknown tenant get one and the same 404, whatever
 * the path. No route is reached before the tenant is settled.
 */
import { Hono, type Context, type MiddlewareHandler } from "hono";
import { Problem } from "../../core/problem.ts";
import { type Arrival, arrive } from "./arrival.ts";
import type { AppEnv, EdgeEnv, PlatformEnv } from "./context.ts";
import { allowOrigin, preflight } from "./cors.ts";
import { recordRefusal } from "./refusals.ts";
import { errorResponse } from "./reply.ts";
import { requestIdOf, traceparentOf } from "./request-id.ts";
import { type Route, type Routed, routeTable } from "./routes.ts";
import { servicesOf } from "./services.ts";

/** Two route trees, one way in. Mount nouns on `tenant` and `platform`; serve `fetch`. */
export type App = {
  readonly tenant: Hono<AppEnv>;
  readonly platform: Hono<PlatformEnv>;
  readonly fetch: (request: Request, env: Env, ctx: ExecutionContext) => Promise<Response>;
  /** Every route of both hosts, as declared. */
  readonly routes: () => readonly HostedRoute[];
};

export type HostedRoute = Route & { readonly host: "tenant" | "platform" };

type Arrivals = WeakMap<Request, Arrival>;

export function newApp(): App {
  // The router takes a request, an environment and a context, none of them ours to extend.
  const arrivals: Arrivals = new WeakMap();
  const tenant = faced(new Hono<AppEnv>().use(enterTenant(arrivals)));
  const platform = faced(new Hono<PlatformEnv>().use(enterPlatform(arrivals)));
  return {
    tenant,
    platform,
    routes: () => [...hosted(platform, "platform"), ...hosted(tenant, "tenant")],
    async fetch(request, env, ctx) {
      const nowMs = Date.now();
      const requestId = requestIdOf(request.headers, nowMs);
      const keep = (work: Promise<unknown>) => ctx.waitUntil(work);
      try {
        const early = preflight(request);
        if (early !== undefined) return dressed(early, request, requestId);
        const services = servicesOf(env);
        const found = arrive({ request, requestId, nowMs, services, keep });
        const arrival = found instanceof Promise ? await found : found;
        arrivals.set(request, arrival);
        const app = arrival.at === "platform" ? platform : tenant;
        return dressed(await app.fetch(request, env, ctx), request, requestId);
      } catch (error) {
        return dressed(errorResponse(error, requestId, request), request, requestId);
      }
    },
  };
}

function enterTenant(arrivals: Arrivals): MiddlewareHandler<AppEnv> {
  return (c, next) => {
    const arrival = arrivals.get(c.req.raw);
    if (arrival?.at !== "tenant") throw new Error("a request that did not arrive at a tenant");
    // Hono's contexts are invariant: one with more variables is no context of fewer to the types.
    setEdge(c as unknown as Context<EdgeEnv>, arrival);
    c.set("tenant", arrival.residence.tenant);
    c.set("scope", arrival.residence.scope);
    return next();
  };
}

function enterPlatform(arrivals: Arrivals): MiddlewareHandler<PlatformEnv> {
  return (c, next) => {
    const arrival = arrivals.get(c.req.raw);
    if (arrival?.at !== "platform") throw new Error("a request that did not arrive here");
    setEdge(c as unknown as Context<EdgeEnv>, arrival); // as above
    c.set("platform", arrival.services.platform);
    return next();
  };
}

function setEdge(c: Context<EdgeEnv>, arrival: Arrival): void {
  c.set("arrival", arrival);
  c.set("requestId", arrival.requestId);
  c.set("traceparent", traceparentOf(arrival.request.headers));
  c.set("nowMs", arrival.nowMs);
  c.set("host", arrival.host);
  c.set("origin", arrival.origin);
  c.set("config", arrival.services.config);
  c.set("services", arrival.services);
}

function hosted(app: Routed, host: HostedRoute["host"]): readonly HostedRoute[] {
  const routes: HostedRoute[] = [];
  for (const route of routeTable(app)) routes.push({ ...route, host });
  return routes;
}

/** Refusals, defects and misses in the one form. */
function faced<E extends EdgeEnv>(app: Hono<E>): Hono<E> {
  app.onError(async (error, c) => {
    const { at } = c.get("arrival");
    // A tenant's route, as just checked, so its context has what those have.
    if (at === "tenant") await recordRefusal(error, c as unknown as Context<AppEnv>);
    return errorResponse(error, c.get("requestId"), c.req.raw);
  });
  app.notFound((c) => {
    const allowed = allowedMethods(app, c.req.path);
    const problem =
      allowed.length === 0
        ? new Problem("not_found", "no such resource")
        : new Problem("method_not_allowed", "another method is served here");
    const response = errorResponse(problem, c.get("requestId"), c.req.raw);
    if (allowed.length > 0) response.headers.set("allow", allowed.join(", "));
    return response;
  });
  return app;
}

/** What is served at a path that the asked method is not; only for answering a miss. */
function allowedMethods<E extends EdgeEnv>(app: Hono<E>, path: string): readonly string[] {
  return ["GET", "POST", "PUT", "PATCH", "DELETE"].filter((method) =>
    app.router.match(method, path)[0].some(([[, route]]) => route.method === method),
  );
}

/** A year, and for this host alone: what is beside a tenant's own name is not ours. RFC 6797 §6.1 */
const STAY_ON_TLS = "max-age=31536000";

/** What every answer has; a socket's is not for reading. */
function dressed(response: Response, request: Request, requestId: string): Response {
  if (response.status === 101) return response;
  const own = mutable(response);
  own.headers.set("x-request-id", requestId);
  own.headers.set("x-content-type-options", "nosniff");
  if (request.url.startsWith("https:")) own.headers.set("strict-transport-security", STAY_ON_TLS);
  if (credentialed(request) && !own.headers.has("cache-control")) {
    own.headers.set("cache-control", "no-store");
  }
  allowOrigin(request, own.headers);
  return own;
}

function credentialed({ headers }: Request): boolean {
  return headers.has("authorization") || headers.has("cookie") || headers.has("x-api-key");
}

/** Answers of `fetch` and of the asset store have headers that cannot be set. */
function mutable(response: Response): Response {
  try {
    response.headers.delete("x-request-id");
    return response;
  } catch {
    return new Response(response.body, response);
  }
}
