/**
 * /auth/session — the console's sign-in: a key goes in once, a cookie comes back (DECISIONS 25).
 *
 * The cookie holds a random token, its row the token's hash and the key's id; whoever revokes the
 * key ends the session. Nothing of it is readable by scripts.
 */
import { z } from "zod";
import { Me, demandPrincipal, meOf } from "../api/users.ts";
import type { Arrival } from "../edge/arrival.ts";
import { answers, newRoutes, open, takes } from "../edge/routes.ts";
import { demandOwnOrigin, endSession, startSession } from "./sign-in.ts";

/** Body of `POST /auth/session`. */
const SignIn = z.strictObject({ key: z.string().startsWith("berth_").max(200) });

export const session = newRoutes()
  .post(
    "/session",
    open("Exchange a key for a session cookie"),
    takes("json", SignIn),
    answers(200, Me, "Signed in; the cookie is set."),
    async (c) => {
      demandOwnOrigin(c.get("arrival"));
      const principal = await demandPrincipal(bearing(c.get("arrival"), c.req.valid("json").key));
      await startSession(c, { keyId: principal.id });
      return c.json(await meOf(c, principal));
    },
  )
  .get(
    "/session",
    open("Who is signed in"),
    answers(200, Me, "The session's principal and its tenant."),
    async (c) => {
      const principal = await demandPrincipal(c.get("arrival"));
      return c.json(await meOf(c, principal));
    },
  )
  .delete(
    "/session",
    open("Sign out"),
    answers(204, null, "The session has ended; the cookie is taken back."),
    async (c) => {
      await endSession(c);
      return c.body(null, 204);
    },
  );

/** The same arrival with the key as its one credential: judged like any other request's. */
function bearing(arrival: Arrival, key: string): Arrival {
  const headers = new Headers(arrival.request.headers);
  headers.set("authorization", `Bearer ${key}`);
  headers.delete("x-api-key");
  return { ...arrival, request: new Request(arrival.request.url, { headers }) };
}
