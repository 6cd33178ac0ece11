/** Is somebody who they say they are, by their password? */
import type { Context } from "hono";
import { checkPassword, hashPassword } from "../../core/passwords/hash.ts";
import { Problem } from "../../core/problem.ts";
import {
  findSignIn,
  recordRefusedSignIn,
  rehashPassword,
  type SignIn,
} from "../../core/users/store.ts";
import type { AppEnv } from "../edge/context.ts";
import { admitAttempt } from "./attempts.ts";
import { derive } from "./scrypt.ts";
import { scopeOf } from "./sign-in.ts";

/**
 * The user of that address and password. An account that is not there, one without a password and a
 * wrong password are one refusal, after the same work.
 *
 * @throws Problem `login_failed` | `rate_limited` | `overloaded`
 */
export async function provenUser(
  c: Context<AppEnv>,
  email: string,
  password: string,
): Promise<SignIn> {
  const arrival = c.get("arrival");
  await admitAttempt(c.env, arrival, "login", email);
  const known = await findSignIn(c.get("scope"), email);
  const { right, stale } = await checkPassword(derive, password, known?.passwordHash ?? null);
  if (known === undefined || !right) {
    // Behind the answer: how long a refusal takes must not tell whose trail it is written to.
    if (known !== undefined) {
      const scope = scopeOf(c, "system", "system");
      arrival.keep(recordRefusedSignIn(scope, known.id, c.get("nowMs")));
    }
    throw new Problem("login_failed", "the e-mail address or the password is wrong");
  }
  if (stale) {
    const hash = await hashPassword(derive, password);
    await rehashPassword(c.get("scope"), known, hash);
  }
  return known;
}
