/**
 * Audit of what happens to stored requests: who read them (F105), and what was asked of the object
 * that holds them. The object has no part in the control plane's batches, so:
 *
 * - A read's entry is written before its answer goes out, and only for what was found.
 * - A change's entry is written before the object is asked: one that was carried out can never be
 *   without. It says that it was asked for; when the object refuses, a second entry says so.
 */
import { type Fact, record } from "../../core/audit/store-record.ts";
import type { TenantScope } from "../../core/db/scope.ts";
import { Problem } from "../../core/problem.ts";
import type { Arrival } from "../edge/arrival.ts";
import { wakeChain } from "../jobs/chain.ts";

/** As much of a request's context as this needs. */
type Reach = {
  readonly env: Env;
  get(key: "scope"): TenantScope;
  get(key: "arrival"): Arrival;
};

/** Somebody is about to see stored requests. */
export async function recordAccess(
  c: Reach,
  fact: Pick<Fact, "action" | "id" | "detail"> & Partial<Pick<Fact, "kind">>,
): Promise<void> {
  const arrival = c.get("arrival");
  await record(c.get("scope"), { kind: "invocation", ...fact }, arrival.nowMs);
  if (arrival.at === "tenant") wakeChain(c.env, arrival);
}

/** Ask an object for a change of an invocation or of what it waits for: the entry first, then the change. */
export async function recordAsking<T>(
  c: Reach,
  action:
    | "invocation.cancel_requested"
    | "invocation.retry_requested"
    | "invocation.fork_requested"
    | "invocation.resume_requested"
    | "agent.queue_clear_requested"
    | "dead_letter.amend_requested"
    | "dead_letter.redrive_requested"
    | "approval.approve_requested"
    | "approval.reject_requested"
    | "approval.happened_requested"
    | "callback.answer_requested"
    | "schedule.run_requested"
    | "agent.learn_requested"
    | "agent.document_requested"
    | "agent.forget_requested"
    | "memory.forget_requested"
    | "document.forget_requested",
  id: string,
  ask: () => Promise<T>,
): Promise<T> {
  const { nowMs } = c.get("arrival");
  const fact = { action, kind: action.slice(0, action.indexOf(".")), id };
  await record(c.get("scope"), fact, nowMs);
  try {
    return await ask();
  } catch (error) {
    if (error instanceof Problem) {
      const detail = { code: error.code };
      // A later moment, so that the two stand in this order.
      await record(c.get("scope"), { ...fact, result: "refused", detail }, nowMs + 1);
    }
    throw error;
  }
}
