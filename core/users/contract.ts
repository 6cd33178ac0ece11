import { z } from "zod";
import { Name } from "../names.ts";
import { NewPassword, TypedPassword } from "../passwords/contract.ts";

/** Lower-cased: two spellings of one mailbox are one user. */
export const Email = z
  .email()
  .max(254)
  .transform((text) => text.toLowerCase());

export const User = z.object({ id: z.string(), email: z.string(), name: z.string() });
export type User = z.infer<typeof User>;

/** What a user is told of itself. */
export const Profile = User.extend({
  /** Was the mailbox proven to be theirs? */
  verified: z.boolean(),
  /** False for who signs in otherwise, or has not chosen one yet. */
  has_password: z.boolean(),
  /** Slug of the role in the tenant. */
  role: z.string(),
  revision: z.number().int(),
  created_at: z.string(),
});
export type Profile = z.infer<typeof Profile>;

/** Body of `PUT /v1/users/me`. */
export const UserPatch = z.strictObject({ name: Name });
export type UserPatch = z.infer<typeof UserPatch>;

/** Body of `PUT /v1/users/me/password`. */
export const ChangePassword = z.strictObject({
  current_password: TypedPassword,
  new_password: NewPassword,
});
