/** What the cases of the suite start from. */
import { createAgent } from "../agents/store.ts";
import { newId } from "../ids.ts";
import type { Principal } from "../principals/contract.ts";
import { TENANT_SCOPES } from "../principals/contract.ts";
import { Problem, type ProblemCode } from "../problem.ts";
import { provisionTenant } from "../tenants/store.ts";
import { publishDraft } from "../versions/store.ts";
import { type PlatformScope, type TenantScope, tenantScope } from "./scope.ts";

/** The engine under test; called inside a test, after the engine is up. */
export type Open = () => PlatformScope;

/** Friday, 20 November 2026, noon. Moved by hand. */
export const NOON = Date.UTC(2026, 10, 20, 12);

export const PORTS = { providers: [], toolFaults: () => [], upstreamFaults: () => [] };

export const FIRST_PAGE = { limit: 25 };

/** A tenant of its own for one test. */
export async function newTenant(platform: PlatformScope, tier = "business") {
  const slug = `t-${newId("tenant", NOON).slice(-16)}`;
  const admin = { email: "Ada@example.com", name: "Ada" };
  const made = await provisionTenant(platform, { slug, name: "Test", admin, tier }, NOON);
  return { ...made, slug, scope: tenantScope(platform, made.tenant.id) };
}

export function principalOf(scope: TenantScope, part: Partial<Principal> = {}): Principal {
  return {
    kind: "key",
    id: newId("key", NOON),
    tenantId: scope.tenantId,
    scopes: TENANT_SCOPES,
    ...part,
  };
}

/** An agent with version 1. */
export async function newAgent(scope: TenantScope, slug = "support") {
  const agent = await createAgent(scope, { slug, name: slug, description: "" }, NOON);
  const version = await publishDraft(scope, agent.id, 1, PORTS, NOON);
  return { agent, version };
}

/** Ends a test that lacks what it goes on from. */
export function missing(what: string): never {
  throw new Error(`there is no ${what.replace(/^an? /, "")}`);
}

/** The code a promise is refused with; fails when it is not refused, or by a defect. */
export async function refusal(promise: Promise<unknown>): Promise<ProblemCode> {
  const [result] = await Promise.allSettled([promise]);
  if (result.status === "fulfilled") return missing("a refusal");
  if (result.reason instanceof Problem) return result.reason.code;
  throw result.reason;
}

/** What came of a race: how many went through, and what the others were told. */
export async function race(runs: readonly Promise<unknown>[]) {
  const results = await Promise.allSettled(runs);
  const refused = results.flatMap((result) => {
    if (result.status === "fulfilled") return [];
    if (result.reason instanceof Problem) return [result.reason.code];
    throw result.reason;
  });
  return { won: results.length - refused.length, refused };
}
