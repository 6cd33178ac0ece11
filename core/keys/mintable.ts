import { type Principal, type Scope, TENANT_SCOPES } from "../principals/contract.ts";
import type { ProblemPlace } from "../problem.ts";

/** What a new key is to hold. Absent narrowing means any. */
export type WantedKey = {
  readonly scopes: readonly Scope[];
  readonly agentId?: string | undefined;
  readonly environment?: string | undefined;
};

/**
 * What `principal` may not give away: a key mints only a subset of itself (DECISIONS 25).
 *
 * A narrowed principal must name its own narrowing: leaving it out asks for more than it has. The
 * platform mints for tenants, but never its own scopes.
 *
 * @returns  The places of the wish that go too far; empty when it may be minted.
 */
export function mintable(principal: Principal, wanted: WantedKey): readonly ProblemPlace[] {
  const held = new Set(principal.kind === "platform" ? TENANT_SCOPES : principal.scopes);
  const faults: ProblemPlace[] = wanted.scopes.flatMap((scope, index) =>
    held.has(scope) && TENANT_SCOPES.includes(scope)
      ? []
      : [{ pointer: `/scopes/${index}`, detail: "a scope you do not hold" }],
  );
  if (principal.agentId !== undefined && wanted.agentId !== principal.agentId) {
    faults.push({ pointer: "/agent", detail: "your own key is narrowed to another agent" });
  }
  if (principal.environment !== undefined && wanted.environment !== principal.environment) {
    faults.push({ pointer: "/environment", detail: "your own key is narrowed to one environment" });
  }
  return faults;
}
