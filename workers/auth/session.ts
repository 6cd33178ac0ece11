/**
 * /auth/session — the console's sign-in: a key goes in once, a cookie comes back (DECISIONS 25).
 *
 * The cookie holds a random token, its row the token's hash and the key's id; whoever revokes the
 * key ends the session. Nothing of it is readable by scripts.
 */
import { z } from "zod";
import { createConsoleSession, deleteConsoleSession } from "../../core/console-sessions/store.ts";
import { Problem } from "../../core/problem.ts";
import { Me, demandPrincipal, me } from "../api/users.ts";
import type { Arrival } from "../edge/arrival.ts";
import { credentialOf, sessionCookieName } from "../edge/credential.ts";
import { sha256 } from "../edge/hash.ts";
import { answers, newRoutes, open, takes } from "../edge/routes.ts";

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
      const made = await createConsoleSession(c.get("scope"), principal.id, c.get("nowMs"));
      c.header(
        "set-cookie",
        cookie(c.get("origin"), made.token, made.expiresAtMs - c.get("nowMs")),
      );
      return c.json(me(c.get("tenant"), principal));
    },
  )
  .get(
    "/session",
    open("Who is signed in"),
    answers(200, Me, "The session's principal and its tenant."),
    async (c) => {
      const principal = await demandPrincipal(c.get("arrival"));
      return c.json(me(c.get("tenant"), principal));
    },
  )
  .delete(
    "/session",
    open("Sign out"),
    answers(204, null, "The session has ended; the cookie is taken back."),
    async (c) => {
      const { request, origin } = c.get("arrival");
      const credential = credentialOf(request, origin);
      if (credential?.kind === "cookie") {
        await deleteConsoleSession(c.get("scope"), sha256(credential.text));
      }
      c.header("set-cookie", cookie(origin, "", 0));
      return c.body(null, 204);
    },
  );

/** The same arrival with the key as its one credential: judged like any other request's. */
function bearing(arrival: Arrival, key: string): Arrival {
  const headers = { authorization: `Bearer ${key}` };
  return { ...arrival, request: new Request(arrival.request.url, { headers }) };
}

/** A page elsewhere must not sign its visitor in as somebody of its choice. */
function demandOwnOrigin({ request, origin }: Arrival): void {
  const from = request.headers.get("origin");
  if (from === null || from === origin) return;
  throw new Problem("origin_refused", "sign in from this host's own page");
}

function cookie(origin: string, value: string, lifetimeMs: number): string {
  const secure = origin.startsWith("https:") ? "; Secure" : "";
  const maxAge = Math.floor(lifetimeMs / 1000);
  const name = sessionCookieName(origin);
  return `${name}=${value}; Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=Lax${secure}`;
}
