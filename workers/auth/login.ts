/** /auth — users sign in and out. */
import { z } from "zod";
import { TypedPassword } from "../../core/passwords/contract.ts";
import { Email } from "../../core/users/contract.ts";
import { endSessions } from "../../core/users/store.ts";
import { Me, meOf } from "../api/users.ts";
import { answers, newRoutes, open, takes } from "../edge/routes.ts";
import { asUser } from "../edge/user.ts";
import { userPrincipal } from "../edge/principal-user.ts";
import { beginTokens } from "./grants-user.ts";
import { provenUser } from "./prove.ts";
import {
  demandOwnOrigin,
  endSession,
  forgetUser,
  startUserSession,
  tenantArrival,
} from "./sign-in.ts";
import { TokenAnswer } from "./token-answer.ts";

/** Body of `POST /auth/login`. */
const Login = z.strictObject({
  email: Email,
  password: TypedPassword,
  /** An access and a refresh token instead of the session cookie: for programs. */
  tokens: z.boolean().default(false),
});

export const login = newRoutes()
  .post(
    "/login",
    open("Sign in with e-mail and password"),
    takes("json", Login),
    answers(200, z.union([Me, TokenAnswer]), "Signed in; the cookie is set, or the tokens given."),
    async (c) => {
      const { email, password, tokens } = c.req.valid("json");
      if (!tokens) demandOwnOrigin(c.get("arrival"));
      const { id } = await provenUser(c, email, password);
      if (tokens) return c.json(await beginTokens(c, id), 200, { "cache-control": "no-store" });
      await startUserSession(c, id);
      const principal = await userPrincipal(tenantArrival(c), id, c.get("nowMs"));
      return c.json(await meOf(c, principal));
    },
  )
  .post(
    "/logout",
    open("Sign out"),
    answers(204, null, "The session has ended; the cookie is taken back."),
    async (c) => {
      await endSession(c);
      return c.body(null, 204);
    },
  )
  .post(
    "/logout-all",
    open("Sign out everywhere (a user's)"),
    asUser(),
    answers(204, null, "Every session, refresh token and access token of the user's is over."),
    async (c) => {
      const { id } = c.get("principal");
      await endSessions(c.get("scope"), id, c.get("nowMs"));
      forgetUser(c.get("arrival"), id);
      await endSession(c);
      return c.body(null, 204);
    },
  );
