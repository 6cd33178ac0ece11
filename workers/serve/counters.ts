import { tally, whileServing } from "../../durable-objects/counters.ts";

type Serve = (request: Request, env: Env, ctx: ExecutionContext) => Promise<Response>;

/**
 * `serve`, and where the configuration asks for it (the bench, never production) with its work
 * counted and the tally at `/__counters`. No route: it is not part of what the platform offers.
 */
export function servedCounting(serve: Serve, counting: (env: Env) => boolean): Serve {
  let asked: boolean | undefined;
  return async (request, env, ctx) => {
    asked ??= counts(env, counting);
    if (!asked) return serve(request, env, ctx);
    if (new URL(request.url).pathname === "/__counters") return Response.json(tally);
    return whileServing(() => serve(request, env, ctx));
  };
}

/** A refused configuration is told by the request that meets it, not here. */
function counts(env: Env, counting: (env: Env) => boolean): boolean {
  try {
    return counting(env);
  } catch {
    return false;
  }
}
