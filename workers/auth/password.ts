/**
 * /auth/password — a new password by mail. Asking is answered alike for every address, after the
 * same work; the link that is mailed counts once, for an hour, and signs in.
 */
import type { Context } from "hono";
import { z } from "zod";
import { findConfirmation, requestReset } from "../../core/confirmations/store.ts";
import { linkedId, opens } from "../../core/mail/link.ts";
import { NewPassword } from "../../core/passwords/contract.ts";
import { hashPassword } from "../../core/passwords/hash.ts";
import { demandGoodPassword } from "../../core/passwords/policy.ts";
import { Email } from "../../core/users/contract.ts";
import { resetPassword } from "../../core/users/store.ts";
import { Me, meOf } from "../api/users.ts";
import type { AppEnv } from "../edge/context.ts";
import { userPrincipal } from "../edge/principal-user.ts";
import { answers, newRoutes, open, takes } from "../edge/routes.ts";
import { sendOwedMail } from "../jobs/mail.ts";
import { admitAttempt } from "./attempts.ts";
import { LinkToken, linkInvalid, MAIL_OWED, MailOwed } from "./register.ts";
import { derive } from "./scrypt.ts";
import {
  demandOwnOrigin,
  forgetUser,
  scopeOf,
  startUserSession,
  tenantArrival,
} from "./sign-in.ts";

export const password = newRoutes()
  .post(
    "/password/forgot",
    open("Ask for a new password by mail"),
    takes("json", z.strictObject({ email: Email })),
    answers(202, MailOwed, "The same whoever has an account."),
    async (c) => {
      const { email } = c.req.valid("json");
      const { keep, services } = c.get("arrival");
      await admitAttempt(c.env, c.get("arrival"), "forgot", email);
      const mailId = await requestReset(scopeOf(c, "system", "system"), email, c.get("nowMs"));
      keep(sendOwedMail(services, mailId));
      return c.json(MAIL_OWED, 202);
    },
  )
  .post(
    "/password/reset",
    open("Choose a new password by the link that was mailed"),
    takes("json", z.strictObject({ token: LinkToken, password: NewPassword })),
    answers(200, Me, "Changed and signed in; everything that was begun before is over."),
    async (c) => {
      demandOwnOrigin(c.get("arrival"));
      const arrival = tenantArrival(c);
      await admitAttempt(c.env, arrival, "link");
      const { token, password: chosen } = c.req.valid("json");
      const userId = await changed(c, token, chosen);
      forgetUser(arrival, userId);
      await startUserSession(c, userId);
      return c.json(await meOf(c, await userPrincipal(arrival, userId, c.get("nowMs"))));
    },
  );

/** Whose password it now is. @throws Problem `link_invalid` | `invalid` for the password */
async function changed(c: Context<AppEnv>, token: string, chosen: string): Promise<string> {
  const nowMs = c.get("nowMs");
  const id = linkedId("confirmation", token);
  const found = id === undefined ? undefined : await findConfirmation(c.get("scope"), id, nowMs);
  if (found?.purpose !== "reset" && found?.purpose !== "welcome") throw linkInvalid();
  const { userId } = found;
  const scope = scopeOf(c, "user", userId ?? "");
  const subject = { tenantId: scope.tenantId, id: found.id, edition: 1 };
  const right = await opens(c.get("config").masterKeys, token, subject);
  if (!right || userId === null) throw linkInvalid();
  demandGoodPassword(chosen, found.email, "/password");
  const hash = await hashPassword(derive, chosen);
  if (await resetPassword(scope, { id: found.id, userId }, hash, nowMs)) return userId;
  throw linkInvalid();
}
