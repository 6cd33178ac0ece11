import { z } from "zod";
import { Description } from "../names.ts";

/** How a spec or a provider names a secret; unlike its value it is nobody's secret. */
export const SecretName = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/, "expected a letter, then letters, digits, _ and -");

/** The value of a header, taken from a secret at the call: `{"secret": "CRM_TOKEN"}`. */
export const SecretRef = z.strictObject({
  secret: SecretName,
  /** Stands before the value: `"Bearer "`. */
  prefix: z
    .string()
    .max(32)
    .regex(/^[\x20-\x7e]*$/, "expected visible ASCII")
    .optional(),
});

/** Long enough to be told from ordinary text, or it could not be kept out of it. */
const SecretValue = z.string().min(8).max(8192);

export const Secret = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string(),
  /** Of the value that is sent now. */
  version: z.number().int(),
  revision: z.number().int(),
  created_at: z.string(),
  rotated_at: z.string(),
  /** The value is 90 days old. */
  rotation_due: z.boolean(),
  /** When a call last carried it, to the minute, and whose call it was. */
  last_used_at: z.string().nullable(),
  last_used_by: z.string().nullable(),
});
export type Secret = z.infer<typeof Secret>;

/** Body of `POST /v1/secrets`. The value is sealed at once and never returned. */
export const CreateSecret = z.strictObject({
  name: SecretName,
  value: SecretValue,
  description: Description.default(""),
});
export type CreateSecret = z.infer<typeof CreateSecret>;

/** Body of `PATCH /v1/secrets/{id}`. A new value is a rotation. */
export const SecretPatch = z.strictObject({ description: Description });
export type SecretPatch = z.infer<typeof SecretPatch>;

const MOST_OVERLAP_S = 30 * 86_400;

/** Body of `POST /v1/secrets/{id}/rotate`. */
export const RotateSecret = z.strictObject({
  value: SecretValue,
  /** How long the value of before is still accepted where something is verified by it. */
  overlap_seconds: z.number().int().min(0).max(MOST_OVERLAP_S).default(0),
});
export type RotateSecret = z.infer<typeof RotateSecret>;

/** `current` is sent; `overlap` only verifies, until `ends_at`; `ended` is gone. */
export const SecretVersion = z.object({
  version: z.number().int(),
  state: z.enum(["current", "overlap", "ended"]),
  created_at: z.string(),
  ends_at: z.string().nullable(),
});
export type SecretVersion = z.infer<typeof SecretVersion>;

/** Body of `POST /v1/secrets/{id}/verify`. */
export const VerifySecret = z.strictObject({ value: z.string().min(1).max(8192) });

/** Which version the value is; none when it is not, or no longer, one of them. */
export const VerifiedSecret = z.object({
  valid: z.boolean(),
  version: z.number().int().nullable(),
  ends_at: z.string().nullable(),
});
export type VerifiedSecret = z.infer<typeof VerifiedSecret>;

/** A named secret as a release carries it: the value stays sealed until a call is made. */
export type SealedSecret = {
  readonly id: string;
  readonly name: string;
  /** What the value is sealed for: the version's own id. */
  readonly versionId: string;
  readonly sealed: string;
  /** Values of before whose overlap lasts: never sent, and still nobody's to repeat. */
  readonly earlier: readonly { readonly versionId: string; readonly sealed: string }[];
};

/** A value that still verifies. */
export type OpenableVersion = {
  /** What it is sealed for. */
  readonly id: string;
  readonly version: number;
  readonly sealed: string;
  readonly endsAtMs: number | null;
};
