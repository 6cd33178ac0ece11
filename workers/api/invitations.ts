/** /v1/invitations — people asked to join, each by a link that is mailed. */
import { CreateInvitation, Invitation } from "../../core/invitations/contract.ts";
import {
  createInvitation,
  getInvitation,
  listInvitations,
  resendInvitation,
  revokeInvitation,
} from "../../core/invitations/store.ts";
import { PageQuery } from "../../core/page.ts";
import { demandVerified } from "../../core/users/store.ts";
import { replays } from "../edge/idempotency.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { sendOwedMail } from "../jobs/mail.ts";
import { demandRole, givableRole } from "./members.ts";
import { demandWholeTenant } from "./narrowing.ts";
import { ById, pageSchema } from "./parameters.ts";

export const invitations = newRoutes()
  .post(
    "/",
    may("members:write", "Invite somebody"),
    replays(),
    takes("json", CreateInvitation),
    answers(201, Invitation, "The invitation; its link is mailed, and counts for seven days."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const wanted = c.req.valid("json");
      const scope = c.get("scope");
      await givableRole(scope, c.get("principal"), wanted.role);
      await demandVerified(scope);
      const made = await createInvitation(scope, wanted, c.get("nowMs"));
      const { keep, services } = c.get("arrival");
      keep(sendOwedMail(services, made.mailId));
      const location = `/v1/invitations/${made.invitation.id}`;
      return c.json(made.invitation, 201, { location });
    },
  )
  .get(
    "/",
    may("members:read", "List invitations"),
    takes("query", PageQuery),
    answers(200, pageSchema(Invitation), "Invitations, oldest first, whatever became of them."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      return c.json(await listInvitations(c.get("scope"), c.req.valid("query"), c.get("nowMs")));
    },
  )
  .get(
    "/:id",
    may("members:read", "Get an invitation"),
    takes("param", ById),
    answers(200, Invitation, "The invitation."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      return c.json(await getInvitation(c.get("scope"), c.req.valid("param").id, c.get("nowMs")));
    },
  )
  .post(
    "/:id/revoke",
    may("members:write", "Take an invitation back"),
    replays(),
    takes("param", ById),
    answers(200, Invitation, "The invitation; its link opens nothing any more."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const { id } = c.req.valid("param");
      const scope = c.get("scope");
      const { role } = await getInvitation(scope, id, c.get("nowMs"));
      await demandRole(scope, c.get("principal"), role);
      return c.json(await revokeInvitation(scope, id, c.get("nowMs")));
    },
  )
  .post(
    "/:id/resend",
    may("members:write", "Send an invitation again, for seven days more"),
    replays(),
    takes("param", ById),
    answers(200, Invitation, "The invitation; the link that was mailed before opens nothing."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const { id } = c.req.valid("param");
      const scope = c.get("scope");
      const before = await getInvitation(scope, id, c.get("nowMs"));
      await givableRole(scope, c.get("principal"), before.role);
      await demandVerified(scope);
      const sent = await resendInvitation(scope, id, c.get("nowMs"));
      const { keep, services } = c.get("arrival");
      keep(sendOwedMail(services, sent.mailId));
      return c.json(sent.invitation);
    },
  );
