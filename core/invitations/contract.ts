import { z } from "zod";
import { Slug } from "../names.ts";
import { Email } from "../users/contract.ts";

/** An invitation counts for a week; the mail says it in words. */
export const INVITATION_MS = 7 * 86_400_000;

export const Invitation = z.object({
  id: z.string(),
  email: z.string(),
  /** Slug of the role that comes with it. */
  role: z.string(),
  status: z.enum(["open", "accepted", "revoked", "expired"]),
  /** The principal who invited. */
  invited_by: z.string(),
  created_at: z.string(),
  expires_at: z.string(),
});
export type Invitation = z.infer<typeof Invitation>;

/** Body of `POST /v1/invitations`. */
export const CreateInvitation = z.strictObject({ email: Email, role: Slug });
export type CreateInvitation = z.infer<typeof CreateInvitation>;
