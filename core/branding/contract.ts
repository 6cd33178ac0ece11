/** White label: the name, colours and logo a tenant's pages wear. */
import { z } from "zod";
import { Name } from "../names.ts";

const Colour = z
  .string()
  .regex(/^#[0-9a-fA-F]{6}$/, "expected #rrggbb")
  .transform((text) => text.toLowerCase());

/**
 * The colours of one scheme; what is left out stays as it is, everything else of the page is
 * derived from these three. `core/branding/palette.ts` says what is refused.
 */
export const SchemeColours = z.strictObject({
  /** Links, buttons, focus. */
  accent: Colour.optional(),
  /** The page behind everything. */
  ground: Colour.optional(),
  /** Text. */
  ink: Colour.optional(),
});
export type SchemeColours = z.infer<typeof SchemeColours>;

/** Most bytes of a logo. */
export const LOGO_BYTES = 262_144;

export const LOGO_TYPES = ["image/png", "image/jpeg", "image/webp", "image/svg+xml"] as const;
export type LogoType = (typeof LOGO_TYPES)[number];

/** Body of `PUT /v1/branding`: the whole of it but the logo. */
export const PutBranding = z.strictObject({
  name: Name.nullable().default(null),
  light: SchemeColours.default({}),
  dark: SchemeColours.default({}),
});
export type PutBranding = z.infer<typeof PutBranding>;

export const Branding = z.object({
  name: z.string().nullable(),
  light: SchemeColours,
  dark: SchemeColours,
  /** Served at `/branding/logo`; null for none. */
  logo: z
    .object({ media_type: z.enum(LOGO_TYPES), size_bytes: z.number().int(), digest: z.string() })
    .nullable(),
  revision: z.number().int(),
});
export type Branding = z.infer<typeof Branding>;
