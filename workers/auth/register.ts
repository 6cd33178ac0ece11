/**
 * /auth — how somebody becomes a user: by an invitation, or by registering where the tenant lets
 * anybody. Whether an address has an account shows in no answer: only its mailbox is told.
 */
import type { Context } from "hono";
import { z } from "zod";
import { findConfirmation, requestRegistration } from "../../core/confirmations/store.ts";
import { confirmRegistration } from "../../core/members/store-registration.ts";
import { acceptInvitation, findOpenInvitation } from "../../core/invitations/store.ts";
import { linkedId, opens } from "../../core/mail/link.ts";
import { Name } from "../../core/names.ts";
import { NewPassword } from "../../core/passwords/contract.ts";
import { hashPassword } from "../../core/passwords/hash.ts";
import { demandGoodPassword } from "../../core/passwords/policy.ts";
import { Problem } from "../../core/problem.ts";
import { Email } from "../../core/users/contract.ts";
import { verifyUser } from "../../core/users/store.ts";
import { Me, meOf } from "../api/users.ts";
import type { AppEnv } from "../edge/context.ts";
import { userPrincipal } from "../edge/principal-user.ts";
import { answers, newRoutes, open, takes } from "../edge/routes.ts";
import { demandActive } from "../edge/suspension.ts";
import { sendOwedMail } from "../jobs/mail.ts";
import { admitAttempt } from "./attempts.ts";
import { derive } from "./scrypt.ts";
import { demandOwnOrigin, scopeOf, startUserSession, tenantArrival } from "./sign-in.ts";

/** The token of a mailed link. */
export const LinkToken = z.string().min(1).max(200);

/** Body of `POST /auth/register`. With an invitation's token it is accepted at once. */
const Register = z.strictObject({
  email: Email,
  name: Name,
  password: NewPassword,
  invitation: LinkToken.optional(),
});

const Accept = z.strictObject({ token: LinkToken, name: Name, password: NewPassword });
type Accept = z.infer<typeof Accept>;

/** What somebody is told who may be written to. */
export const MailOwed = z.object({ status: z.literal("mail_sent_if_possible") });
export const MAIL_OWED = { status: "mail_sent_if_possible" } as const;

export const register = newRoutes()
  .post(
    "/register",
    open("Register, where the tenant lets anybody, or by an invitation"),
    takes("json", Register),
    answers(202, MailOwed, "Open the link that was mailed; the same whoever has an account."),
    answers(200, Me, "By invitation: joined and signed in."),
    async (c) => {
      demandOwnOrigin(c.get("arrival"));
      const { invitation, ...person } = c.req.valid("json");
      if (invitation !== undefined) return joined(c, { token: invitation, ...person });
      demandOpen(c);
      await admitAttempt(c.env, c.get("arrival"), "register", person.email);
      await requested(c, person);
      return c.json(MAIL_OWED, 202);
    },
  )
  .post(
    "/verify",
    open("Confirm an e-mail address by the link that was mailed"),
    takes("json", z.strictObject({ token: LinkToken })),
    answers(204, null, "It is confirmed: sign in."),
    async (c) => {
      demandOwnOrigin(c.get("arrival"));
      await admitAttempt(c.env, c.get("arrival"), "link");
      await verified(c, c.req.valid("json").token);
      return c.body(null, 204);
    },
  )
  .post(
    "/invitations/accept",
    open("Accept an invitation: choose a name and a password"),
    takes("json", Accept),
    answers(200, Me, "Joined and signed in; the cookie is set."),
    (c) => {
      demandOwnOrigin(c.get("arrival"));
      return joined(c, c.req.valid("json"));
    },
  );

/** What every link that opens nothing is told, whatever the reason. */
export function linkInvalid(): Problem {
  return new Problem("link_invalid", "the link is not valid, was used, or has expired");
}

function demandOpen(c: Context<AppEnv>): void {
  // That it is suspended is not for strangers (U1 of ../edge/suspension.ts).
  const { registration, flags, status } = c.get("tenant");
  if (registration === "open" && flags.self_registration && status === "active") return;
  throw new Problem("registration_closed", "ask an administrator for an invitation");
}

/** The same work, statements and answer for every address. */
async function requested(
  c: Context<AppEnv>,
  { email, name, password }: { email: string; name: string; password: string },
): Promise<void> {
  demandGoodPassword(password, email, "/password");
  const passwordHash = await hashPassword(derive, password);
  const scope = scopeOf(c, "system", "system");
  const mailId = await requestRegistration(scope, { email, name, passwordHash }, c.get("nowMs"));
  const { keep, services } = c.get("arrival");
  keep(sendOwedMail(services, mailId));
}

async function verified(c: Context<AppEnv>, token: string): Promise<void> {
  const id = linkedId("confirmation", token);
  const scope = scopeOf(c, "system", "system");
  const nowMs = c.get("nowMs");
  const found = id === undefined ? undefined : await findConfirmation(scope, id, nowMs);
  if (found === undefined) throw linkInvalid();
  const subject = { tenantId: scope.tenantId, id: found.id, edition: 1 };
  if (!(await opens(c.get("config").masterKeys, token, subject))) throw linkInvalid();
  demandActive(tenantArrival(c));
  const { userId } = found;
  if (found.purpose === "registration") {
    const role = c.get("tenant").default_role;
    if (await confirmRegistration(scope, found, role, nowMs)) return;
  } else if (found.purpose === "verification" && userId !== null) {
    if (await verifyUser(scope, { id: found.id, userId }, nowMs)) return;
  }
  throw linkInvalid();
}

/** @throws Problem `link_invalid` | `invalid` for the password */
async function joined(
  c: Context<AppEnv>,
  { token, name, password, email }: Accept & { readonly email?: string },
): Promise<Response> {
  const arrival = tenantArrival(c);
  await admitAttempt(c.env, arrival, "link");
  const scope = scopeOf(c, "system", "system");
  const nowMs = c.get("nowMs");
  const id = linkedId("invitation", token);
  const found = id === undefined ? undefined : await findOpenInvitation(scope, id, nowMs);
  if (found === undefined || (email !== undefined && email !== found.email)) throw linkInvalid();
  if (!(await opens(c.get("config").masterKeys, token, found))) throw linkInvalid();
  demandActive(arrival);
  demandGoodPassword(password, found.email, "/password");
  const passwordHash = await hashPassword(derive, password);
  const userId = await acceptInvitation(scope, found, { name, passwordHash }, nowMs);
  if (userId === undefined) throw linkInvalid();
  await startUserSession(c, userId);
  return c.json(await meOf(c, await userPrincipal(arrival, userId, nowMs)));
}
