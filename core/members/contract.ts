import { z } from "zod";
import { Slug } from "../names.ts";

export const Member = z.object({
  id: z.string(),
  user_id: z.string(),
  email: z.string(),
  name: z.string(),
  /** Slug of the role. */
  role: z.string(),
  /** Was the mailbox proven to be theirs? */
  verified: z.boolean(),
  revision: z.number().int(),
  created_at: z.string(),
});
export type Member = z.infer<typeof Member>;

/** Body of `PATCH /v1/members/{id}`. */
export const MemberPatch = z.strictObject({ role: Slug });
