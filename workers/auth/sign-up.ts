/** POST /auth/register on the platform's host — a tenant of one's own, where the operator allows it. */
import { z } from "zod";
import { Name } from "../../core/names.ts";
import { NewPassword } from "../../core/passwords/contract.ts";
import { hashPassword } from "../../core/passwords/hash.ts";
import { demandGoodPassword } from "../../core/passwords/policy.ts";
import { Problem } from "../../core/problem.ts";
import { ProvisionedTenant, ProvisionTenant } from "../../core/tenants/contract.ts";
import { provisionTenant } from "../../core/tenants/store.ts";
import { Email } from "../../core/users/contract.ts";
import { addressOf } from "../edge/actor.ts";
import { answers, newPlatformRoutes, open, takes } from "../edge/routes.ts";
import { sendOwedMail } from "../jobs/mail.ts";
import { admitAttempt } from "./attempts.ts";
import { derive } from "./scrypt.ts";
import { demandOwnOrigin } from "./sign-in.ts";

const SignUp = z.strictObject({
  tenant: ProvisionTenant.pick({ slug: true, name: true }),
  email: Email,
  name: Name,
  password: NewPassword,
});

export const signUp = newPlatformRoutes().post(
  "/register",
  open("Sign up: a tenant of one's own, with oneself as its administrator"),
  takes("json", SignUp),
  answers(201, ProvisionedTenant, "The tenant, its administrator and its first key."),
  async (c) => {
    const arrival = c.get("arrival");
    if (!c.get("config").signUpOpen) {
      throw new Problem("registration_closed", "ask the platform's operator for a tenant");
    }
    demandOwnOrigin(arrival);
    const { tenant, email, name, password } = c.req.valid("json");
    await admitAttempt(c.env, arrival, "sign_up", email);
    demandGoodPassword(password, email, "/password");
    const passwordHash = await hashPassword(derive, password);
    const input = { ...tenant, admin: { email, name } };
    const { request, requestId } = arrival;
    const by = { kind: "user", id: "", address: addressOf(request), requestId } as const;
    const signed = await provisionTenant(c.get("platform"), input, c.get("nowMs"), by, {
      passwordHash,
    });
    const { mailId, ...made } = signed;
    arrival.keep(sendOwedMail(arrival.services, mailId));
    return c.json(made, 201);
  },
);
