/**
 * How a route is declared: who may, what it takes, what it answers. The declarations are the
 * middleware itself, so what the documents say is what runs; `routeTable` reads them back.
 */
import { type Context, Hono, type Env as HonoEnv, type MiddlewareHandler } from "hono";
import type { z } from "zod";
import { actingAs } from "../../core/db/scope.ts";
import type { Scope } from "../../core/principals/contract.ts";
import { Problem } from "../../core/problem.ts";
import { actorOf } from "./actor.ts";
import { BODY_LIMIT } from "./body.ts";
import type { AppEnv, EdgeEnv, PlatformEnv, WithPrincipal } from "./context.ts";
import { type Cost, conclude, countUse, take } from "./key-meter.ts";
import { asking } from "./permits.ts";
import { principalOf } from "./principal.ts";
import { parseInput, type Target } from "./takes.ts";

export type Answer = {
  readonly status: number;
  readonly description: string;
  /** Absent: no JSON body (204, a redirect, a stream). */
  readonly schema?: z.ZodType;
  readonly mediaType?: string;
};

/** One route as declared. */
export type Route = {
  readonly method: string;
  /** In the router's form: `/v1/agents/:id`. */
  readonly path: string;
  /** `open`: no credential. `undeclared`: a mistake that a test finds. */
  readonly scope: Scope | "open" | "undeclared";
  readonly summary: string;
  readonly param?: z.ZodType;
  readonly query?: z.ZodType;
  readonly header?: z.ZodType;
  readonly json?: z.ZodType;
  /** Of an `application/x-www-form-urlencoded` body; for the documents alone. */
  readonly form?: z.ZodType;
  /** Whether the body may be left out. */
  readonly bodyOptional: boolean;
  readonly answers: readonly Answer[];
};

/** Any tree of routes, as the router lists it. */
export type Routed = {
  readonly routes: readonly {
    readonly method: string;
    readonly path: string;
    readonly handler: unknown;
  }[];
};

type Mark =
  | { readonly kind: "scope"; readonly scope: Scope | "open"; readonly summary: string }
  | {
      readonly kind: "takes";
      readonly target: Target;
      readonly schema: z.ZodType;
      readonly optional: boolean;
      readonly limitBytes: number;
      readonly lines?: string;
    }
  | { readonly kind: "form"; readonly schema: z.ZodType }
  | { readonly kind: "answers"; readonly answer: Answer };

const marks = new WeakMap<object, readonly Mark[]>();

function marked<H extends object>(mark: Mark, handler: H): H {
  marks.set(handler, [mark]);
  return handler;
}

type AnyHandler = MiddlewareHandler<HonoEnv>;

const METHODS = ["get", "post", "put", "patch", "delete"] as const;

/**
 * Routes whose declarations cost a request nothing: each handler is a link of a chain of promises,
 * so what only documents a route is left out of it, and neighbouring `takes` become one.
 */
function lean<E extends HonoEnv>(app: Hono<E>): Hono<E> {
  for (const method of METHODS) {
    // Hono's overloads tie the handlers of a route to each other; here only their number changes.
    const register = app[method] as unknown as (path: string, ...chain: AnyHandler[]) => Hono<E>;
    const leaner = (path: string, ...chain: AnyHandler[]) => register(path, ...fused(chain));
    app[method] = leaner as unknown as (typeof app)[typeof method];
  }
  return app;
}

function fused(chain: readonly AnyHandler[]): AnyHandler[] {
  const links: AnyHandler[] = [];
  let taking: Taking[] = [];
  const endTaking = () => {
    if (taking.length > 0) links.push(takesAll(taking));
    taking = [];
  };
  for (const handler of chain) {
    const [mark] = marks.get(handler) ?? [];
    if (mark?.kind === "takes") {
      taking.push(mark);
    } else if (mark === undefined || (mark.kind === "scope" && mark.scope !== "open")) {
      endTaking();
      links.push(handler);
    }
  }
  const own = links.pop();
  if (own === undefined) throw new Error("a route that does nothing");
  const last: AnyHandler = (c, next) => own(c, next);
  marks.set(
    last,
    chain.flatMap((handler) => marks.get(handler) ?? []),
  );
  return [...links, last];
}

/** Routes of a tenant's host. */
export function newRoutes(): Hono<AppEnv> {
  return lean(new Hono<AppEnv>());
}

/** Routes of the platform's host. */
export function newPlatformRoutes(): Hono<PlatformEnv> {
  return lean(new Hono<PlatformEnv>());
}

/**
 * Only a principal that holds `scope` goes on; behind it `c.get("principal")` is there. A scope that
 * is not about agents is decided here, one that is by what the route asks of ./permits.ts.
 *
 * @param cost  For keys with credits. A route that invokes an agent takes one unless said.
 * @throws Problem `unauthenticated` | `forbidden` | `rate_limited` | `budget_exceeded` and what the
 *         credential itself is refused for
 */
export function may(
  scope: Scope,
  summary = "",
  cost: Partial<Cost> = {},
): MiddlewareHandler<WithPrincipal> {
  const { credits = scope === "agents:invoke" ? 1 : 0, once = false } = cost;
  const demand: MiddlewareHandler<EdgeEnv & WithPrincipal> = async (c, next) => {
    const found = principalOf(c.get("arrival"));
    const principal = found instanceof Promise ? await found : found;
    if (principal === undefined) {
      throw new Problem("unauthenticated", "present an API key or a token");
    }
    const arrival = c.get("arrival");
    const asked = asking(principal, scope, arrival.nowMs);
    if (arrival.at === "tenant") {
      const acting = actingAs(arrival.residence.scope, actorOf(principal, arrival));
      (c as unknown as Context<AppEnv>).set("scope", acting); // a tenant's route, as just checked
    }
    if (asked instanceof Problem) {
      countUse(arrival, principal, "INSUFFICIENT_PERMISSIONS");
      throw asked;
    }
    c.set("principal", asked);
    const taking = take(arrival, principal, { credits, once });
    const receipt = taking === undefined ? undefined : await taking;
    await next();
    if (receipt !== undefined) await conclude(receipt, c);
  };
  // Told apart from what it needs, which `newApp` sets for every route, so that a route's context
  // is its host's and the principal: `Context<AppEnv & WithPrincipal>`.
  const adds = demand as unknown as MiddlewareHandler<WithPrincipal>;
  return marked({ kind: "scope", scope, summary }, adds);
}

/** Anybody may; what the route needs it checks itself. */
export function open(summary = ""): MiddlewareHandler<HonoEnv> {
  const pass: MiddlewareHandler<HonoEnv> = (_c, next) => next();
  return marked({ kind: "scope", scope: "open", summary }, pass);
}

export type TakesOptions = {
  /** Largest JSON body in bytes; 1 MiB unless said. */
  readonly limitBytes?: number;
  /** An absent body is `{}`. */
  readonly optional?: boolean;
  /** The field that a body of JSON lines is the list of. */
  readonly lines?: string;
};

/**
 * Input by its schema, then `c.req.valid(target)`.
 *
 * Refusals by target: `param` is `not_found` (no such thing can exist), `header` is `bad_request`
 * (`precondition_required` for an absent If-Match), `query` and `json` are `invalid`, each with
 * pointers.
 */
export function takes<T extends Target, S extends z.ZodType>(
  target: T,
  schema: S,
  options: TakesOptions = {},
): MiddlewareHandler<
  HonoEnv,
  string,
  { in: { [K in T]: z.input<S> }; out: { [K in T]: z.output<S> } }
> {
  const { limitBytes = BODY_LIMIT, optional = false, lines } = options;
  const taking = { target, schema, optional, limitBytes, ...(lines !== undefined && { lines }) };
  return marked({ kind: "takes", ...taking }, takesAll([taking]));
}

type Taking = Omit<Extract<Mark, { readonly kind: "takes" }>, "kind">;

/** Each in its turn: the first that does not fit is the one that is told. */
function takesAll(all: readonly Taking[]): MiddlewareHandler<HonoEnv> {
  return async (c, next) => {
    for (const { target, schema, ...options } of all) {
      const found = parseInput(c.req, target, schema, options);
      const input = found instanceof Promise ? await found : found;
      // Hono's own type for it is `{}`: whatever the schema made, `valid` hands back.
      c.req.addValidatedData(target, input as object);
    }
    await next();
  };
}

/** For the documents alone: what a route that reads a form itself looks for in it. */
export function readsForm(schema: z.ZodType): MiddlewareHandler<HonoEnv> {
  return marked<MiddlewareHandler<HonoEnv>>({ kind: "form", schema }, (_c, next) => next());
}

/** For the documents alone. `schema` null: no JSON body. */
export function answers(
  status: number,
  schema: z.ZodType | null,
  description: string,
  mediaType?: string,
): MiddlewareHandler<HonoEnv> {
  const answer: Answer = {
    status,
    description,
    ...(schema === null ? {} : { schema }),
    ...(mediaType === undefined ? {} : { mediaType }),
  };
  return marked<MiddlewareHandler<HonoEnv>>({ kind: "answers", answer }, (_c, next) => next());
}

/** What was declared, one entry per method and path, in the order of declaration. */
export function routeTable(app: Routed): readonly Route[] {
  const table = new Map<string, Route>();
  for (const { method, path, handler } of app.routes) {
    if (method === "ALL") continue;
    const key = `${method} ${path}`;
    const route = table.get(key) ?? { ...UNDECLARED, method, path };
    const said = typeof handler === "function" ? (marks.get(handler) ?? []) : [];
    table.set(key, said.reduce(withMark, route));
  }
  return [...table.values()];
}

const UNDECLARED = {
  scope: "undeclared",
  summary: "",
  bodyOptional: false,
  answers: [],
} as const;

function withMark(route: Route, mark: Mark): Route {
  if (mark.kind === "scope") return { ...route, scope: mark.scope, summary: mark.summary };
  if (mark.kind === "takes") {
    const bodyOptional = route.bodyOptional || mark.optional;
    return { ...route, [mark.target]: mark.schema, bodyOptional };
  }
  if (mark.kind === "form") return { ...route, form: mark.schema };
  return { ...route, answers: [...route.answers, mark.answer] };
}
