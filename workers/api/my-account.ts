/** /v1/users/me for a user: name, password, personal keys. */
import { CreateKey, IssuedKey, Key } from "../../core/keys/contract.ts";
import { createKey, getKey, listKeys, revokeKey } from "../../core/keys/store.ts";
import { PageQuery } from "../../core/page.ts";
import { checkPassword, hashPassword } from "../../core/passwords/hash.ts";
import { demandGoodPassword } from "../../core/passwords/policy.ts";
import { Problem } from "../../core/problem.ts";
import { ChangePassword, UserPatch } from "../../core/users/contract.ts";
import { changePassword, getSignIn, patchUser } from "../../core/users/store.ts";
import { admitAttempt } from "../auth/attempts.ts";
import { derive } from "../auth/scrypt.ts";
import { forgetUser, startUserSession } from "../auth/sign-in.ts";
import { replays } from "../edge/idempotency.ts";
import { answers, newRoutes, open, takes } from "../edge/routes.ts";
import { asUser } from "../edge/user.ts";
import { AtRevision, ById, etag, pageSchema } from "./parameters.ts";
import { Me, meOf } from "./users.ts";

export const myAccount = newRoutes()
  .put(
    "/me",
    open("Change one's own name (a user's)"),
    asUser(),
    takes("header", AtRevision),
    takes("json", UserPatch),
    answers(200, Me, "As it is now."),
    async (c) => {
      const { "if-match": revision } = c.req.valid("header");
      const principal = c.get("principal");
      const scope = c.get("scope");
      const now = c.get("nowMs");
      const user = await patchUser(scope, principal.id, revision, c.req.valid("json"), now);
      return c.json(await meOf(c, principal), 200, etag(user.revision));
    },
  )
  .put(
    "/me/password",
    open("Change one's own password (a user's)"),
    asUser(),
    takes("json", ChangePassword),
    answers(204, null, "Changed; every other session and refresh token of the user's is over."),
    async (c) => {
      const { id, consoleSession } = c.get("principal");
      const { current_password, new_password } = c.req.valid("json");
      await admitAttempt(c.env, c.get("arrival"), "password", id);
      const own = await getSignIn(c.get("scope"), id);
      demandGoodPassword(new_password, own.email, "/new_password");
      const { right } = await checkPassword(derive, current_password, own.passwordHash);
      if (!right) throw wrongPassword();
      const hash = await hashPassword(derive, new_password);
      await changePassword(c.get("scope"), own, hash, c.get("nowMs"));
      forgetUser(c.get("arrival"), id);
      if (consoleSession !== undefined) await startUserSession(c, id);
      return c.body(null, 204);
    },
  )
  .post(
    "/me/api-keys",
    open("Make a personal key (a user's)"),
    asUser(),
    replays(),
    takes("json", CreateKey),
    answers(201, IssuedKey, "The key; its secret is shown this once. It ends with its owner."),
    async (c) => {
      const principal = c.get("principal");
      const wanted = c.req.valid("json");
      const scope = c.get("scope");
      const key = await createKey(scope, principal, wanted, c.get("nowMs"), principal.id);
      return c.json(key, 201, { location: `/v1/users/me/api-keys/${key.id}` });
    },
  )
  .get(
    "/me/api-keys",
    open("List one's personal keys (a user's)"),
    asUser(),
    takes("query", PageQuery),
    answers(200, pageSchema(Key), "One's own keys, revoked ones too."),
    async (c) => {
      const query = { ...c.req.valid("query"), owner_id: c.get("principal").id };
      return c.json(await listKeys(c.get("scope"), query));
    },
  )
  .delete(
    "/me/api-keys/:id",
    open("Revoke a personal key (a user's)"),
    asUser(),
    takes("param", ById),
    answers(204, null, "It opens nothing any more."),
    async (c) => {
      const { id } = c.req.valid("param");
      const key = await getKey(c.get("scope"), id);
      if (key.owner_id !== c.get("principal").id) throw new Problem("not_found", "no such key");
      await revokeKey(c.get("scope"), id, c.get("nowMs"));
      c.get("services").keys.forget(id);
      return c.body(null, 204);
    },
  );

/** Of who is signed in: not 401, which would say that the session is not good. */
function wrongPassword(): Problem {
  return new Problem("invalid", "the current password is another one", {
    errors: [{ pointer: "/current_password", detail: "is not the password" }],
  });
}
