/**
 * /v1/agents/{id}/queue — what an agent has accepted and not ended, asked of its objects: seen, and
 * cleared of what does not run yet.
 */
import type { Context } from "hono";
import { encodeCursor, decodeCursor } from "../../core/page.ts";
import { Problem } from "../../core/problem.ts";
import {
  ClearedQueue,
  type QueueCounts,
  type QueueEntry,
  QueuePage,
  QueueQuery,
} from "../../core/queues/contract.ts";
import { listObjects, type ObjectPlace } from "../../core/runtime-objects/store.ts";
import type { AppEnv, WithPrincipal } from "../edge/context.ts";
import { replays } from "../edge/idempotency.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { recordAsking } from "./accesses.ts";
import { reachAgent } from "./narrowing.ts";
import { ByIdOrSlug } from "./parameters.ts";
import { runtimeOf } from "./runtime.ts";

/** More than all replicas of an agent in an environment. */
const MOST_OBJECTS = 1000;

type Asking = Context<AppEnv & WithPrincipal>;

export const agentQueues = newRoutes()
  .get(
    "/:id/queue",
    may("invocations:read", "See what an agent has before it"),
    takes("param", ByIdOrSlug),
    takes("query", QueueQuery),
    answers(200, QueuePage, "Accepted invocations that have not ended, oldest first."),
    async (c) => {
      const { environment, cursor, limit } = c.req.valid("query");
      const { id } = await reachAgent(c, c.req.valid("param").id, environment);
      return c.json(await queueOf(c, await placesOf(c, id, environment), cursor, limit));
    },
  )
  .post(
    "/:id/queue/clear",
    may("invocations:write", "Cancel what an agent has before it"),
    replays(),
    takes("param", ByIdOrSlug),
    takes("query", QueueQuery.pick({ environment: true })),
    answers(200, ClearedQueue, "What was accepted or waited is cancelled; what runs goes on."),
    async (c) => {
      const { environment } = c.req.valid("query");
      const { id } = await reachAgent(c, c.req.valid("param").id, environment);
      const places = await placesOf(c, id, environment);
      const cancelled = await recordAsking(c, "agent.queue_clear_requested", id, () =>
        clear(c, places),
      );
      return c.json({ cancelled });
    },
  );

async function placesOf(
  c: Asking,
  agentId: string,
  environment: string,
): Promise<readonly ObjectPlace[]> {
  const objects = await listObjects(c.get("scope"), { agentId }, MOST_OBJECTS);
  const here = objects.filter((place) => place.environment === environment);
  return here.toSorted((a, b) => a.replica - b.replica);
}

/** The page of all objects together: ids are ordered by time, whichever object made them. */
async function queueOf(
  c: Asking,
  places: readonly ObjectPlace[],
  cursor: string | undefined,
  limit: number,
) {
  const after = cursor === undefined ? "" : decodeCursor(cursor);
  const counts = { accepted: 0, running: 0, waiting: 0 };
  const entries: QueueEntry[] = [];
  for (const place of places) {
    const slice = await sliceOf(c, place, after, limit + 1);
    add(counts, slice.counts);
    entries.push(...slice.entries);
  }
  entries.sort((a, b) => (a.invocation_id < b.invocation_id ? -1 : 1));
  const data = entries.slice(0, limit);
  const last = data.at(-1);
  const more = entries.length > limit && last !== undefined;
  return { counts, data, next_cursor: more ? encodeCursor(last.invocation_id) : null };
}

async function sliceOf(
  c: Asking,
  { agentId, environment, replica }: ObjectPlace,
  after: string,
  limit: number,
) {
  const owner = { tenantId: c.get("scope").tenantId, agentId, environment, replica };
  return Problem.unwrap(await runtimeOf(c.env, owner).queued(owner, after, limit));
}

function add(to: { -readonly [K in keyof QueueCounts]: number }, counts: QueueCounts): void {
  to.accepted += counts.accepted;
  to.running += counts.running;
  to.waiting += counts.waiting;
}

async function clear(c: Asking, places: readonly ObjectPlace[]): Promise<number> {
  let cancelled = 0;
  for (const { agentId, environment, replica } of places) {
    const owner = { tenantId: c.get("scope").tenantId, agentId, environment, replica };
    for (let left = true; left;) {
      const cleared = Problem.unwrap(await runtimeOf(c.env, owner).clearQueue(owner));
      cancelled += cleared.cancelled;
      left = cleared.left;
    }
  }
  return cancelled;
}
