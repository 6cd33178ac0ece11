import { z } from "zod";
import { AIM, AIMED, aimed, EACH, Level } from "../limits/contract.ts";

/** A kill switch: while it is there nothing that it is about begins, and what ran was ended. */
export const Stop = z.object({
  id: z.string(),
  level: Level,
  subject: z.string().nullable(),
  reason: z.string(),
  /** The principal that threw it. */
  created_by: z.string(),
  created_at: z.string(),
  /** When every agent it concerns had been told; null while some have not. */
  reached_at: z.string().nullable(),
});
export type Stop = z.infer<typeof Stop>;

/** Body of `POST /v1/stops`. */
export const CreateStop = z
  .strictObject({
    ...AIM,
    /** Told to whoever is refused; one line. */
    reason: z
      .string()
      .min(1)
      .max(200)
      .regex(/^[^\p{Cc}\p{Cs}]+$/u, "one line of text without control characters"),
  })
  .refine(aimed, AIMED)
  .refine(({ subject }) => subject !== EACH, { path: ["subject"], error: "one, not each" });
export type CreateStop = z.infer<typeof CreateStop>;
