import { z } from "zod";
import { AgentSpec } from "../agents/spec.ts";

/** An immutable numbered spec. */
export const Version = z.object({
  id: z.string(),
  agent_id: z.string(),
  number: z.number().int(),
  /** SHA-256 (base64url) of the spec's canonical JSON. */
  spec_hash: z.string(),
  created_at: z.string(),
  spec: AgentSpec,
});
export type Version = z.infer<typeof Version>;

/** A version in a list, without its spec. */
export const VersionSummary = Version.omit({ spec: true });
export type VersionSummary = z.infer<typeof VersionSummary>;
