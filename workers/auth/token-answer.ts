import { z } from "zod";

/** What the token endpoint and a program's sign-in answer. @source RFC 6749 §5.1 */
export const TokenAnswer = z.object({
  access_token: z.string(),
  token_type: z.literal("Bearer"),
  expires_in: z.number().int(),
  refresh_token: z.string().optional(),
  scope: z.string(),
});
export type TokenAnswer = z.infer<typeof TokenAnswer>;
