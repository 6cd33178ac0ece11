/**
 * Turns of a socket whose key has limits of its own: each is counted like a request that invokes
 * (workers/edge/key-meter.ts), by one call to the tenant's gate, before it is accepted.
 */
import type { Meter } from "../../core/limits/contract.ts";
import { exhausted } from "../../core/limits/quotas.ts";
import { type Refusal, refuse } from "../../core/problem.ts";
import { gateStub } from "../tenant-gate/stub.ts";
import { logDefect } from "./runner.ts";

export type Accepted =
  | { readonly ok: true; readonly id: string; readonly replayed: boolean }
  | Refusal;

export type Turn = {
  readonly tenantId: string;
  /** Null: the key has no limits of its own, and nothing is asked. */
  readonly meter: Meter | null;
  /** What the turn calls itself, so that it is paid for once. */
  readonly charge: string | undefined;
};

/** Take what a turn costs, and give it back when the turn came to nothing or was there before. */
export async function metered(
  env: Env,
  { tenantId, meter, charge }: Turn,
  accept: () => Promise<Accepted>,
): Promise<Accepted> {
  if (meter === null) return accept();
  const named = charge === undefined ? {} : { charge };
  const spent = await gateStub(env, tenantId)
    .spend(tenantId, { meter, credits: 1, ...named })
    .catch((error: unknown) => logDefect("chat.gate", error));
  if (!spent) return refuse("overloaded", "the key's limits cannot be checked now");
  if (!spent.ok) return { ok: false, problem: exhausted(meter, spent, Date.now()).data };
  const accepted = await accept();
  if (accepted.ok && !accepted.replayed) return accepted;
  const { subject } = meter;
  const returned = { subject, credits: 1, revision: meter.credits?.revision ?? 0, ...named };
  await gateStub(env, tenantId).giveBack(tenantId, returned);
  return accepted;
}
