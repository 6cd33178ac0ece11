/** The end of a tenant, on the platform's host. */
import { Erasure, ErasureBegun, EraseTenant } from "../../core/erasure/contract.ts";
import { type ErasureRow, beginErasure, getErasure, toErasure } from "../../core/erasure/store.ts";
import type { Arrival } from "../edge/arrival.ts";
import { replays } from "../edge/idempotency.ts";
import { answers, may, newPlatformRoutes, open, takes } from "../edge/routes.ts";
import { forgetTenant } from "../edge/tenant.ts";
import { carryErasures, quietMs } from "../jobs/erasures.ts";
import { lifeJob } from "../jobs/life.ts";
import { ById } from "./parameters.ts";

/** Erasures taken up at once by whoever begins one. */
const AT_ONCE = 5;

/** /v1/tenants/{id}/erase */
export const erasuresOfTenants = newPlatformRoutes().post(
  "/:id/erase",
  may("tenants:erase", "Erase a tenant"),
  replays(),
  takes("param", ById),
  takes("json", EraseTenant),
  answers(202, ErasureBegun, "Nobody can reach it any more; `status_url` tells how it goes on."),
  async (c) => {
    const { id: tenantId } = c.req.valid("param");
    const wanted = { tenantId, ...c.req.valid("json"), requestedBy: c.get("principal").id };
    const begun = await erased(c.env, c.get("arrival"), wanted);
    return c.json(begun, 202, { location: begun.status_url });
  },
);

/**
 * /v1/erasures — open: whoever erased a tenant has no host and no credential left to ask with. An
 * id has 80 random bits and is told to the asker alone.
 */
export const erasures = newPlatformRoutes().get(
  "/:id",
  open("Get an erasure, with its certificate once it is done"),
  takes("param", ById),
  answers(200, Erasure, "How far it has come."),
  async (c) => {
    const row = await getErasure(c.get("platform"), c.req.valid("param").id);
    return c.json(toErasure(row), 200, { "cache-control": "no-store" });
  },
);

export type Wanted = {
  readonly tenantId: string;
  readonly confirm: string;
  readonly requestedBy: string;
};

/** Begin it, and carry it as far as it goes behind the answer; cron does the rest. */
export async function erased(
  env: Env,
  { services, nowMs, keep }: Arrival,
  wanted: Wanted,
): Promise<{ readonly erasure: Erasure; readonly status_url: string }> {
  const { config, platform } = services;
  const dueAtMs = nowMs + quietMs(config);
  const row: ErasureRow = await beginErasure(platform, { ...wanted, dueAtMs }, nowMs);
  forgetTenant(services, row);
  keep(carryErasures(lifeJob(env), AT_ONCE));
  const origin = `${config.scheme}://${config.baseAuthority}`;
  return { erasure: toErasure(row), status_url: `${origin}/v1/erasures/${row.id}` };
}
