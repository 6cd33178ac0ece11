/**
 * /v1/issuers — issuers outside whose tokens the tenant accepts.
 *
 * Whoever chooses where an issuer's keys come from can be anybody its rules let in: so any change
 * demands all that the rules bring, those before it and those after, and so does its end.
 */
import type { Config } from "../../core/config.ts";
import { CreateIssuer, Issuer, IssuerPatch } from "../../core/issuers/contract.ts";
import {
  createIssuer,
  deleteIssuer,
  getIssuer,
  listIssuers,
  patchIssuer,
} from "../../core/issuers/store.ts";
import { PageQuery } from "../../core/page.ts";
import { Problem } from "../../core/problem.ts";
import { replays } from "../edge/idempotency.ts";
import { forgetIssuers } from "../edge/issuers.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { sealsAs } from "../edge/sealing.ts";
import { settledRules } from "./claim-rules.ts";
import { demandWholeTenant } from "./narrowing.ts";
import { demandReachable } from "./outside.ts";
import { AtRevision, ById, etag, pageSchema } from "./parameters.ts";

export const issuers = newRoutes()
  .post(
    "/",
    may("issuers:write", "Accept the tokens of an issuer"),
    replays(),
    takes("json", CreateIssuer),
    answers(201, Issuer, "The issuer; a shared secret is sealed and never shown."),
    async (c) => {
      const principal = c.get("principal");
      demandWholeTenant(principal);
      const scope = c.get("scope");
      const wanted = c.req.valid("json");
      demandElsewhere(c.get("config"), wanted.issuer);
      demandReachable(
        c.get("config"),
        "/jwks_uri",
        "jwks_uri" in wanted ? wanted.jwks_uri : undefined,
      );
      const seal = sealsAs("issuer", c.get("services"), scope, c.get("nowMs"));
      const settled = await settledRules(scope, principal, wanted);
      const issuer = await createIssuer(scope, settled, seal, c.get("nowMs"));
      forgetIssuers(c.get("services"), scope.tenantId);
      const location = `/v1/issuers/${issuer.id}`;
      return c.json(issuer, 201, { ...etag(issuer.revision), location });
    },
  )
  .get(
    "/",
    may("issuers:read", "List issuers"),
    takes("query", PageQuery),
    answers(200, pageSchema(Issuer), "Issuers in the order they were made."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      return c.json(await listIssuers(c.get("scope"), c.req.valid("query")));
    },
  )
  .get(
    "/:id",
    may("issuers:read", "Get an issuer"),
    takes("param", ById),
    answers(200, Issuer, "The issuer."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const issuer = await getIssuer(c.get("scope"), c.req.valid("param").id);
      return c.json(issuer, 200, etag(issuer.revision));
    },
  )
  .patch(
    "/:id",
    may("issuers:write", "Change an issuer, or switch it off and on"),
    takes("param", ById),
    takes("header", AtRevision),
    takes("json", IssuerPatch),
    answers(200, Issuer, "The issuer; its tokens follow within the cache time."),
    async (c) => {
      const principal = c.get("principal");
      demandWholeTenant(principal);
      const { id } = c.req.valid("param");
      const { "if-match": revision } = c.req.valid("header");
      const scope = c.get("scope");
      const patch = c.req.valid("json");
      demandReachable(c.get("config"), "/jwks_uri", patch.jwks_uri);
      const seal = sealsAs("issuer", c.get("services"), scope, c.get("nowMs"));
      const before = await getIssuer(scope, id);
      await settledRules(scope, principal, {}, before); // no stronger one's to change
      const settled = await settledRules(scope, principal, patch, before);
      const issuer = await patchIssuer(scope, id, revision, settled, seal, c.get("nowMs"));
      forgetIssuers(c.get("services"), scope.tenantId);
      return c.json(issuer, 200, etag(issuer.revision));
    },
  )
  .delete(
    "/:id",
    may("issuers:write", "Accept an issuer's tokens no longer"),
    takes("param", ById),
    takes("header", AtRevision),
    answers(204, null, "It is gone; its tokens are refused within the cache time."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const { id } = c.req.valid("param");
      const { "if-match": revision } = c.req.valid("header");
      const scope = c.get("scope");
      await settledRules(scope, c.get("principal"), {}, await getIssuer(scope, id));
      await deleteIssuer(scope, id, revision, c.get("nowMs"));
      forgetIssuers(c.get("services"), scope.tenantId);
      return c.body(null, 204);
    },
  );

/** Tokens that claim to be of this platform are its own keys' alone. @throws Problem `invalid` */
function demandElsewhere({ baseAuthority }: Config, issuer: string): void {
  const { host } = new URL(issuer);
  if (host !== baseAuthority && !host.endsWith(`.${baseAuthority}`)) return;
  throw new Problem("invalid", "the issuer is this platform itself", {
    errors: [{ pointer: "/issuer", detail: "names this platform" }],
  });
}
