/** What somebody else's claims about a person bring here: the rules of an issuer or a connection. */
import { z } from "zod";
import { IdOrSlug } from "../names.ts";
import { SCOPES } from "../principals/contract.ts";

/** A claim by its own name (`https://id.example.com/roles`), or by a JSON pointer (`/realm_access/roles`). */
export const ClaimName = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[\x21-\x7e]+$/, "printable ASCII without spaces");

/** A claim that has one of the values brings the scopes and the role. */
export const ClaimRule = z
  .strictObject({
    claim: ClaimName,
    values: z.array(z.string().min(1).max(200)).min(1).max(50),
    scopes: z.array(z.enum(SCOPES)).max(SCOPES.length).default([]),
    /** Id of a role of the tenant's, or the slug of any. */
    role: IdOrSlug.optional(),
  })
  .refine(({ scopes, role }) => scopes.length > 0 || role !== undefined, "brings nothing");
export type ClaimRule = z.infer<typeof ClaimRule>;

export const ClaimRules = z.array(ClaimRule).max(50);
