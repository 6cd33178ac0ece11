import { z } from "zod";

/** A place where a run waits for somebody outside to answer. */
export const Callback = z.object({
  id: z.string(),
  invocation_id: z.string(),
  /** Key of the step that waits. */
  step: z.string(),
  status: z.enum(["open", "answered", "expired"]),
  created_at: z.string(),
  expires_at: z.string(),
  answered_at: z.string().nullable(),
});
export type Callback = z.infer<typeof Callback>;

/** Answer of `GET /v1/callbacks/{id}/address`: whoever has it may answer, once, without a credential. */
export const CallbackAddress = z.object({ url: z.string(), expires_at: z.string() });

/** Body of an answer: what the model is told, any JSON. */
export const CallbackAnswer = z.strictObject({ answer: z.json() });
