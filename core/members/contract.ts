import { z } from "zod";

export const Member = z.object({
  id: z.string(),
  user_id: z.string(),
  email: z.string(),
  name: z.string(),
  /** Slug of the role. */
  role: z.string(),
  created_at: z.string(),
});
export type Member = z.infer<typeof Member>;
