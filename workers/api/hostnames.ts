/** /v1/hostnames — names of the tenant's own: asked for, proven by DNS, served, let go of. */
import type { Context } from "hono";
import { checkHostname } from "../../core/hostnames/check.ts";
import { CreateHostname, Hostname } from "../../core/hostnames/contract.ts";
import { hostnameFrom } from "../../core/hostnames/name.ts";
import {
  createHostname,
  deleteHostname,
  getHostname,
  type HostnameRow,
  listHostnames,
  toHostname,
} from "../../core/hostnames/store.ts";
import { newSecret } from "../../core/keys/format.ts";
import { PageQuery } from "../../core/page.ts";
import { Problem } from "../../core/problem.ts";
import type { AppEnv, WithPrincipal } from "../edge/context.ts";
import { demandVerified } from "../../core/users/store.ts";
import { replays } from "../edge/idempotency.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { forgetHostname } from "../edge/tenant.ts";
import { hostnamePorts, targetOf } from "./hostname-ports.ts";
import { demandWholeTenant } from "./narrowing.ts";
import { AtRevision, ById, etag, pageSchema } from "./parameters.ts";

export const hostnames = newRoutes()
  .post(
    "/",
    may("hostnames:write", "Ask for a hostname of the tenant's own"),
    replays(),
    takes("json", CreateHostname),
    answers(201, Hostname, "The hostname, pending, with the DNS records to set."),
    async (c) => {
      demandMayBring(c);
      await demandVerified(c.get("scope"));
      const name = demandName(c.req.valid("json").name, c.get("config").baseDomain);
      const token = `berth-${newSecret()}`;
      const made = await createHostname(c.get("scope"), name, token, c.get("nowMs"));
      const headers = { ...etag(made.revision), location: `/v1/hostnames/${made.id}` };
      return c.json(wire(c, made), 201, headers);
    },
  )
  .get(
    "/",
    may("hostnames:read", "List hostnames"),
    takes("query", PageQuery),
    answers(200, pageSchema(Hostname), "Hostnames in the order they were asked for."),
    async (c) => {
      const page = await listHostnames(c.get("scope"), c.req.valid("query"));
      return c.json({ ...page, data: page.data.map((row) => wire(c, row)) });
    },
  )
  .get(
    "/:id",
    may("hostnames:read", "Get a hostname"),
    takes("param", ById),
    answers(200, Hostname, "The hostname."),
    async (c) => shown(c, await getHostname(c.get("scope"), c.req.valid("param").id)),
  )
  .post(
    "/:id/verify",
    may("hostnames:write", "Look at a hostname's DNS records and certificate now"),
    replays(),
    takes("param", ById),
    answers(200, Hostname, "The hostname as it was found."),
    async (c) => {
      demandMayBring(c);
      const { services, scope, config, nowMs, tenant } = c.var;
      const row = await getHostname(scope, c.req.valid("param").id);
      const about = { platform: services.platform, scope, target: targetOf(config, tenant.slug) };
      const look = { ...hostnamePorts(config), ...about, counted: false, nowMs };
      return shown(c, await checkHostname(look, row));
    },
  )
  .delete(
    "/:id",
    may("hostnames:write", "Let go of a hostname"),
    takes("param", ById),
    takes("header", AtRevision),
    answers(204, null, "It leads here no more, and is anybody's to ask for."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const row = await getHostname(c.get("scope"), c.req.valid("param").id);
      const { "if-match": revision } = c.req.valid("header");
      if (row.revision !== revision) throw stale(revision);
      await removeFromEdge(c, row);
      await deleteHostname(c.get("scope"), row, c.get("nowMs"));
      forgetHostname(c.get("services"), row.name);
      return c.body(null, 204);
    },
  );

type TenantContext = Context<AppEnv & WithPrincipal>;

/** @throws Problem `forbidden` */
function demandMayBring(c: TenantContext): void {
  demandWholeTenant(c.get("principal"));
  if (c.get("tenant").flags.custom_hostnames) return;
  throw new Problem("forbidden", "the platform has switched custom_hostnames off");
}

/** @throws Problem `invalid` */
function demandName(text: string, own: string): string {
  const named = hostnameFrom(text, own);
  if (named.ok) return named.name;
  throw new Problem("invalid", "the body does not fit its schema", {
    errors: [{ pointer: "/name", detail: named.fault }],
  });
}

/** First there: a name that is no row of ours any more could not be removed again. */
async function removeFromEdge(c: TenantContext, row: HostnameRow): Promise<void> {
  if (row.claimedName === null) return;
  const removed = await hostnamePorts(c.get("config")).edge.remove(row.name, row.edgeId);
  if (!removed.ok) throw removed.problem;
}

function stale(revision: number): Problem {
  return new Problem("version_conflict", `the hostname is no longer at revision ${revision}`);
}

function shown(c: TenantContext, row: HostnameRow): Response {
  forgetHostname(c.get("services"), row.name);
  return c.json(wire(c, row), 200, etag(row.revision));
}

function wire(c: TenantContext, row: HostnameRow): Hostname {
  return toHostname(row, targetOf(c.get("config"), c.get("tenant").slug));
}
