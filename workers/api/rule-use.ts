/** What is used of a limit or a budget: asked of the tenant's gate, which asks who holds parts of it. */
import { z } from "zod";
import { rfc3339 } from "../../core/clock.ts";
import type { TenantScope } from "../../core/db/scope.ts";
import { wholeNumber } from "../../core/page.ts";
import type { AllowanceUse } from "../../durable-objects/tenant-gate/contract-leases.ts";
import type { Services } from "../edge/services.ts";

/** Query of `…/use`. */
export const UseQuery = z.strictObject({
  limit: wholeNumber({ min: 1, max: 100 }).default(25),
  /** Of a rule for each: one of them alone. */
  subject: z.string().min(1).max(512).optional(),
});

type Rule = { readonly id: string; readonly subject: string | null };

export type Use = Pick<AllowanceUse, "cap" | "used" | "held" | "warnings"> & {
  readonly subject: string | null;
  readonly since: string | null;
  readonly resets_at: string | null;
};

export async function useOf(
  c: { get(key: "services"): Services; get(key: "scope"): TenantScope },
  rule: Rule,
  { subject, limit }: z.infer<typeof UseQuery>,
): Promise<readonly Use[]> {
  const { tenantId } = c.get("scope");
  const page = { limit, ...(subject === undefined ? {} : { subject }) };
  const rows = await c.get("services").gate(tenantId).used(tenantId, rule.id, page);
  return rows.map(({ id, sinceMs, endsMs, cap, used, held, warnings }) => ({
    subject: id.startsWith(`${rule.id}/`) ? id.slice(rule.id.length + 1) : rule.subject,
    since: endsMs === null ? null : rfc3339(sinceMs),
    resets_at: endsMs === null ? null : rfc3339(endsMs),
    cap,
    used,
    held,
    warnings,
  }));
}
