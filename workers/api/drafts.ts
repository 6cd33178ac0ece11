/** /v1/agents/{id}/draft, /publish and /versions — from the mutable spec to immutable versions. */
import { Draft } from "../../core/agents/contract.ts";
import { AgentSpec } from "../../core/agents/spec.ts";
import { getDraft, putDraft } from "../../core/agents/store.ts";
import { PageQuery } from "../../core/page.ts";
import { Version, VersionSummary } from "../../core/versions/contract.ts";
import { getVersion, listVersions, publishDraft } from "../../core/versions/store.ts";
import { replays } from "../edge/idempotency.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { reachAgent } from "./narrowing.ts";
import { specPorts } from "./outside.ts";
import { AtRevision, ByIdOrSlug, ByVersion, etag, pageSchema } from "./parameters.ts";

export const drafts = newRoutes()
  .get(
    "/:id/draft",
    may("agents:read", "Get the draft"),
    takes("param", ByIdOrSlug),
    answers(200, Draft, "The draft and its revision."),
    async (c) => {
      const { id } = await reachAgent(c, c.req.valid("param").id);
      const draft = await getDraft(c.get("scope"), id);
      return c.json(draft, 200, etag(draft.revision));
    },
  )
  .put(
    "/:id/draft",
    may("agents:write", "Replace the draft"),
    takes("param", ByIdOrSlug),
    takes("header", AtRevision),
    takes("json", AgentSpec),
    answers(200, Draft, "The draft as stored."),
    async (c) => {
      const { id } = await reachAgent(c, c.req.valid("param").id);
      const { "if-match": revision } = c.req.valid("header");
      const spec = c.req.valid("json");
      const draft = await putDraft(c.get("scope"), id, revision, spec, c.get("nowMs"));
      return c.json(draft, 200, etag(draft.revision));
    },
  )
  .post(
    "/:id/publish",
    may("agents:write", "Publish the draft as a version"),
    replays(),
    takes("param", ByIdOrSlug),
    takes("header", AtRevision.partial()),
    answers(201, Version, "The version made of the draft, or the latest one when nothing changed."),
    async (c) => {
      const { id } = await reachAgent(c, c.req.valid("param").id);
      const scope = c.get("scope");
      const revision = c.req.valid("header")["if-match"] ?? (await getDraft(scope, id)).revision;
      const ports = specPorts(c.get("config"));
      const version = await publishDraft(scope, id, revision, ports, c.get("nowMs"));
      return c.json(version, 201, { location: `/v1/agents/${id}/versions/${version.number}` });
    },
  )
  .get(
    "/:id/versions",
    may("agents:read", "List versions"),
    takes("param", ByIdOrSlug),
    takes("query", PageQuery),
    answers(200, pageSchema(VersionSummary), "Versions, newest first."),
    async (c) => {
      const { id } = await reachAgent(c, c.req.valid("param").id);
      return c.json(await listVersions(c.get("scope"), id, c.req.valid("query")));
    },
  )
  .get(
    "/:id/versions/:number",
    may("agents:read", "Get a version"),
    takes("param", ByVersion),
    answers(200, Version, "The version with its spec."),
    async (c) => {
      const { id, number } = c.req.valid("param");
      const agent = await reachAgent(c, id);
      return c.json(await getVersion(c.get("scope"), agent.id, number));
    },
  );
