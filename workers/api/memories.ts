/** /v1/memories — what agents have learned: told, asked, and forgotten. It lives in their objects. */
import {
  CreateMemory,
  ForgetSubject,
  Forgotten,
  Memory,
  MemoryFound,
  MemoryListQuery,
  MemorySearch,
} from "../../core/memories/contract.ts";
import { decodeCursor } from "../../core/page.ts";
import { speakerId } from "../../core/principals/contract.ts";
import { replays } from "../edge/idempotency.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { recordAccess, recordAsking } from "./accesses.ts";
import { pageOfRows, placeOfMemory, readyPlace, timeOf } from "./memory-places.ts";
import { ById, pageSchema } from "./parameters.ts";
import { found, homeOf } from "./runtime.ts";

export const memories = newRoutes()
  .post(
    "/",
    may("memories:write", "Tell an agent something"),
    replays(),
    takes("json", CreateMemory),
    answers(201, Memory, "The item; what it supersedes is current no more."),
    async (c) => {
      const wanted = c.req.valid("json");
      const { runtime, owner, generation } = await readyPlace(c, wanted);
      const { agent: _a, environment: _e, valid_from, valid_until, author, ...item } = wanted;
      const given = {
        ...item,
        author: author ?? speakerId(c.get("principal")),
        fromMs: timeOf(valid_from),
        untilMs: timeOf(valid_until),
      };
      const { memory } = await recordAsking(c, "agent.learn_requested", owner.agentId, async () =>
        found(await runtime.learn(owner, generation, given), "memory"),
      );
      return c.json(memory, 201, { location: `/v1/memories/${memory.id}` });
    },
  )
  .get(
    "/",
    may("memories:read", "List what an agent has learned"),
    takes("query", MemoryListQuery),
    answers(200, pageSchema(Memory), "Items in the order they were learned."),
    async (c) => {
      const { cursor, limit, subject, as_of, include, ...of } = c.req.valid("query");
      const { runtime, owner } = await placeOfMemory(c, of);
      const after = cursor === undefined ? undefined : decodeCursor(cursor);
      const listing = { after, limit: limit + 1, subject, superseded: include === "all" };
      const { body } = found(
        await runtime.memories(owner, { ...listing, asOfMs: timeOf(as_of) }),
        "memory",
      );
      const page = await pageOfRows(Memory, body, limit, ({ id }) => id);
      const detail = { agent: owner.agentId, rows: page.data.length };
      await recordAccess(c, { action: "memory.listed", kind: "memory", id: "*", detail });
      return c.json(page);
    },
  )
  .post(
    "/search",
    may("memories:read", "Search what an agent knows"),
    takes("json", MemorySearch),
    answers(200, MemoryFound, "Passages that fit, best first, each with why."),
    async (c) => {
      const wanted = c.req.valid("json");
      const { runtime, owner, generation } = await readyPlace(c, wanted);
      const { as_of, valid_at, min_similarity: minSimilarity, ...question } = wanted;
      const at = { asOfMs: timeOf(as_of), validAtMs: timeOf(valid_at) };
      const answer = await runtime.searchMemory(owner, generation, {
        ...question,
        ...at,
        minSimilarity,
      });
      const { found: passages } = found(answer, "memory");
      const detail = { agent: owner.agentId, rows: passages.data.length };
      await recordAccess(c, { action: "memory.searched", kind: "memory", id: "*", detail });
      return c.json(passages);
    },
  )
  .post(
    "/forget",
    may("memories:write", "Forget a subject"),
    replays(),
    takes("json", ForgetSubject),
    answers(200, Forgotten, "What it reached; nothing of it is left to be recalled or replayed."),
    async (c) => {
      const { subject, ...of } = c.req.valid("json");
      const { runtime, owner } = await placeOfMemory(c, of);
      const { forgotten } = await recordAsking(
        c,
        "agent.forget_requested",
        owner.agentId,
        async () => found(await runtime.forget(owner, { subject }), "memory"),
      );
      return c.json(forgotten);
    },
  )
  .get(
    "/:id",
    may("memories:read", "Get an item of memory"),
    takes("param", ById),
    answers(200, Memory, "The item, superseded or not."),
    async (c) => {
      const { id } = c.req.valid("param");
      const { runtime, owner } = await homeOf(c, id, "memory");
      const { memory } = found(await runtime.memory(owner, id), "memory");
      await recordAccess(c, { action: "memory.read", kind: "memory", id });
      return c.json(memory);
    },
  )
  .delete(
    "/:id",
    may("memories:write", "Forget an item"),
    takes("param", ById),
    answers(200, Forgotten, "What it reached: also the turns it was learned in or recalled for."),
    async (c) => {
      const { id } = c.req.valid("param");
      const { runtime, owner } = await homeOf(c, id, "memory");
      found(await runtime.memory(owner, id), "memory");
      const { forgotten } = await recordAsking(c, "memory.forget_requested", id, async () =>
        found(await runtime.forget(owner, { id }), "memory"),
      );
      return c.json(forgotten);
    },
  );
