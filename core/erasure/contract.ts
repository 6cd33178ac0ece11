import { z } from "zod";

/**
 * What an erasure goes through, in this order. Each may be done again: a crash between two of them
 * repeats the later one.
 */
export const ERASURE_PHASES = [
  "count",
  "keys",
  "objects",
  "gate",
  "hostnames",
  "rows",
  "verify",
  "certify",
] as const;
export type ErasurePhase = (typeof ERASURE_PHASES)[number];

/** How much of everything there was. */
export const ErasureCounts = z.object({
  /** Rows of the control plane, by table. */
  rows: z.record(z.string(), z.number().int()),
  /** Agents' objects, each with a database of its own. */
  objects: z.number().int(),
  /** Names of its own that led to it, let go of where they were answered for. */
  hostnames: z.number().int(),
});
export type ErasureCounts = z.infer<typeof ErasureCounts>;

/** One tenant's end, while it goes on and after. */
export const Erasure = z.object({
  id: z.string(),
  tenant_id: z.string(),
  slug: z.string(),
  status: z.enum(["erasing", "erased"]),
  /** What is being done; `certify` when all is. */
  phase: z.enum(ERASURE_PHASES),
  counts: ErasureCounts.nullable(),
  requested_at: z.string(),
  erased_at: z.string().nullable(),
  /** Until then nobody else can have the slug. */
  slug_free_at: z.string(),
  /** A JWS of the type `berth-erasure+jwt`, once it is erased. */
  certificate: z.string().nullable(),
});
export type Erasure = z.infer<typeof Erasure>;

/** Body of both erase routes: the slug, written out by whoever means it. */
export const EraseTenant = z.strictObject({ confirm: z.string().min(1).max(63) });
export type EraseTenant = z.infer<typeof EraseTenant>;

/** What was asked for; `status_url` needs no credential, its id is known to the asker alone. */
export const ErasureBegun = z.object({ erasure: Erasure, status_url: z.string() });
