/**
 * Refused attempts in the trail: a known principal tried what it may not (403). Other refusals are
 * answers to input, or to nobody who is known.
 */
import type { Context } from "hono";
import { routePath } from "hono/route";
import { record } from "../../core/audit/store-record.ts";
import { Problem } from "../../core/problem.ts";
import { logFault } from "../jobs/batch.ts";
import type { AppEnv } from "./context.ts";
import type { Services } from "./services.ts";

/**
 * The same principal at the same route is written down this often, so that hammering at a closed
 * door does not fill the trail.
 */
const REPEAT_MS = 60_000;
const KEPT = 5000;

const written = new WeakMap<Services, Map<string, number>>();

/** Before the refusal is answered. Writes nothing for any other error. */
export async function recordRefusal(error: unknown, c: Context<AppEnv>): Promise<void> {
  if (!(error instanceof Problem) || error.code !== "forbidden") return;
  const { services, nowMs } = c.get("arrival");
  const scope = c.get("scope");
  if (scope.by.kind === "system") return; // nobody is known
  const route = `${c.req.method} ${routePath(c)}`;
  const times = written.get(services) ?? new Map<string, number>();
  const what = JSON.stringify([scope.tenantId, scope.by.id, route]);
  if (Math.abs(nowMs - (times.get(what) ?? 0)) < REPEAT_MS) return;
  if (times.size >= KEPT) times.clear();
  written.set(services, times.set(what, nowMs));
  // The route alone: what the caller wrote into the path may be somebody else's, or nobody's.
  const fact = { action: "request.refused", kind: "route", id: route, result: "refused" } as const;
  try {
    await record(scope, { ...fact, detail: { code: error.code } }, nowMs);
  } catch (fault) {
    logFault("a refusal is not in the trail", fault); // it stays a refusal
  }
}
