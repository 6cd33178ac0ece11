import { z } from "zod";

/** `active` seals; `retiring` only opens, until nothing is sealed under it; then `destroyed`. */
export const DataKeyState = z.enum(["active", "retiring", "destroyed"]);
export type DataKeyState = z.infer<typeof DataKeyState>;

export const DataKey = z.object({
  id: z.string(),
  state: DataKeyState,
  created_at: z.string(),
  retired_at: z.string().nullable(),
  /** Sealed values that are left under it. */
  values: z.number().int(),
  /** It has sealed for 90 days. */
  rotation_due: z.boolean(),
});
export type DataKey = z.infer<typeof DataKey>;

/** What each master key still holds, for whoever wants to drop one. */
export const Sealing = z.object({
  master_keys: z.array(
    z.object({
      kid: z.string(),
      /** `seals`: the first configured; `opens`: the other one; `missing`: none of ours any more. */
      state: z.enum(["seals", "opens", "missing"]),
      /** Data keys wrapped by it. */
      data_keys: z.number().int(),
      /** Values sealed directly under it, from before there were data keys. */
      values: z.number().int(),
    }),
  ),
});
export type Sealing = z.infer<typeof Sealing>;
