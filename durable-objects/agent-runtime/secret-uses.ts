import { tenantScope } from "../../core/db/scope.ts";
import type { Release } from "../../core/deployments/release.ts";
import { noteUse } from "../../core/secrets/store-use.ts";
import { platformOf } from "./settings.ts";

/** A secret's use is told this often at most: it says "in use", it does not count calls. */
const TELL_MS = 60_000;

/**
 * Tells the control plane which secrets this agent's calls carry, beside the call and never before
 * it. What is not told, because the store failed or the object died, is told with the next use.
 */
export function secretUses(env: Env, { tenantId, agentId }: Release): (secretId: string) => void {
  const toldMs = new Map<string, number>();
  return (secretId) => {
    const nowMs = Date.now();
    if (nowMs - (toldMs.get(secretId) ?? 0) < TELL_MS) return;
    toldMs.set(secretId, nowMs);
    const scope = tenantScope(platformOf(env), tenantId);
    noteUse(scope, secretId, agentId, nowMs).catch((error: unknown) => {
      toldMs.delete(secretId);
      console.error(JSON.stringify({ level: "error", event: "secret.use", detail: String(error) }));
    });
  };
}
