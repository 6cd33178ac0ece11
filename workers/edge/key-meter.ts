/**
 * What a key may use up, taken before its request is served (tenant-gate/credits.ts counts it).
 *
 * M1  A key without limits of its own costs an addition in memory: no call, nothing awaited.
 * M2  One call to the gate for each request of a key that has some, after its scope was found.
 * M3  A request that is refused later, or only repeats an earlier one, gives its credits back; one
 *     that names itself by an Idempotency-Key is let through again without paying, also when
 *     nothing is left.
 */
import type { Context } from "hono";
import type { Meter } from "../../core/limits/contract.ts";
import { exhausted, quotasOf } from "../../core/limits/quotas.ts";
import type { Principal } from "../../core/principals/contract.ts";
import { Problem, type Quota } from "../../core/problem.ts";
import type { Spending, Spent, SpendRefusal } from "../../durable-objects/tenant-gate/contract.ts";
import type { Arrival } from "./arrival.ts";
import { sha256 } from "./hash.ts";
import { idempotencyKeyOf } from "./idempotency.ts";
import { setQuotas } from "./quotas.ts";

/** What a route costs a key that has credits. */
export type Cost = {
  readonly credits: number;
  /** The route makes one thing of requests with one Idempotency-Key, and says so when it repeats. */
  readonly once: boolean;
};

/** What was taken for a request, until it is known what came of it. */
export type Receipt = {
  readonly arrival: Arrival;
  readonly meter: Meter;
  readonly credits: number;
  readonly charge: string | undefined;
  readonly quotas: readonly Quota[];
};

/**
 * Take what the request costs; undefined for a principal that has no limits of its own (M1).
 *
 * @throws Problem `rate_limited` | `budget_exceeded` | `overloaded`, by rejection
 */
export function take(
  arrival: Arrival,
  principal: Principal,
  cost: Cost,
): Promise<Receipt> | undefined {
  const { meter } = principal;
  if (meter !== undefined) return taken(arrival, principal, meter, cost);
  countUse(arrival, principal, "VALID");
  return undefined;
}

/** The answer is known: say what is left, and give back what it did not cost (M3). */
export async function conclude(receipt: Receipt, c: Context): Promise<void> {
  const { arrival, meter, credits, charge, quotas } = receipt;
  const nothing = c.res.status >= 400 || c.res.headers.get("idempotency-replayed") === "true";
  if (nothing) await giveBack(arrival, meter, credits, charge);
  if (c.res.headers.has("ratelimit")) return;
  const headers = new Headers();
  setQuotas(headers, quotas);
  for (const [name, value] of headers) c.header(name, value);
}

/** What was taken for something that then was not done. */
export function refund({ arrival, meter, credits, charge }: Receipt): Promise<void> {
  return giveBack(arrival, meter, credits, charge);
}

/** A use of a key, for its account; nothing for any other principal. */
export function countUse(
  { services, nowMs, keep }: Arrival,
  { kind, id, tenantId }: Principal,
  code: "VALID" | "INSUFFICIENT_PERMISSIONS" | "RATE_LIMITED" | "USAGE_EXCEEDED",
): void {
  if (kind !== "key" || tenantId === null) return;
  services.keyUses.count({ tenantId, keyId: id }, code, nowMs, keep);
}

async function taken(
  arrival: Arrival,
  principal: Principal,
  meter: Meter,
  { credits, once }: Cost,
): Promise<Receipt> {
  const charge = once ? chargeOf(arrival.request) : undefined;
  const spending = { meter, credits, ...(charge === undefined ? {} : { charge }) };
  const answer = await spend(arrival, principal.tenantId ?? "", spending);
  if (!answer.ok) {
    countUse(arrival, principal, answer.reason === "rate" ? "RATE_LIMITED" : "USAGE_EXCEEDED");
    throw exhausted(meter, answer, arrival.nowMs);
  }
  countUse(arrival, principal, "VALID");
  return { arrival, meter, credits, charge, quotas: quotasOf(meter, answer, arrival.nowMs) };
}

/** One call to the tenant's gate. @throws Problem `overloaded` when it cannot be asked */
export async function spend(
  { services }: Arrival,
  tenantId: string,
  spending: Spending,
): Promise<Spent | SpendRefusal> {
  try {
    return await services.gate(tenantId).spend(tenantId, spending);
  } catch (error) {
    logUnreachable(error);
    const detail = "the key's limits cannot be checked now";
    throw new Problem("overloaded", detail, { retryAfterMs: 1000 });
  }
}

/** The request by the name it gives itself; undefined for one that gives none. */
function chargeOf({ method, url, headers }: Request): string | undefined {
  const key = idempotencyKeyOf(headers);
  if (key === undefined) return undefined;
  const { pathname, search } = new URL(url);
  return sha256(`${method} ${pathname}${search}\n${key}`);
}

async function giveBack(
  arrival: Arrival,
  meter: Meter,
  credits: number,
  charge: string | undefined,
): Promise<void> {
  if (arrival.at !== "tenant" || (credits === 0 && charge === undefined)) return;
  const { tenantId } = arrival.residence.scope;
  const revision = meter.credits?.revision ?? 0;
  const returned = { subject: meter.subject, credits, revision };
  try {
    await arrival.services
      .gate(tenantId)
      .giveBack(tenantId, { ...returned, ...(charge === undefined ? {} : { charge }) });
  } catch (error) {
    logUnreachable(error); // the answer stands, whatever becomes of the credit
  }
}

function logUnreachable(error: unknown): void {
  console.error(
    JSON.stringify({ level: "error", event: "gate.unreachable", detail: String(error) }),
  );
}
