import type { AgentSpec } from "../agents/spec.ts";
import { canonical } from "../json/canonical.ts";

/** SHA-256 (base64url) of a spec's canonical JSON: what "the same content" means. */
export async function specHash(spec: AgentSpec): Promise<string> {
  const bytes = new TextEncoder().encode(canonical(spec));
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return btoa(String.fromCharCode(...new Uint8Array(digest)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
