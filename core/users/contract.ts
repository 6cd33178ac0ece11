import { z } from "zod";

/** Lower-cased: two spellings of one mailbox are one user. */
export const Email = z
  .email()
  .max(254)
  .transform((text) => text.toLowerCase());

export const User = z.object({ id: z.string(), email: z.string(), name: z.string() });
export type User = z.infer<typeof User>;
