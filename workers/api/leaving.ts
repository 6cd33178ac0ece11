/**
 * /v1/tenant/export and /v1/tenant/erase — a tenant takes its data and leaves, by its own hand.
 *
 * Both are answered while the tenant is suspended too (workers/edge/suspension.ts): an export needs
 * it to be, and whoever does not pay any more may still go.
 */
import { ErasureBegun, EraseTenant } from "../../core/erasure/contract.ts";
import { ExportTenant } from "../../core/transfer/contract.ts";
import { replays } from "../edge/idempotency.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { erased } from "./erasures.ts";
import { demandWholeTenant } from "./narrowing.ts";
import { NDJSON, exported } from "./transfers.ts";

export const leaving = newRoutes()
  .post(
    "/export",
    may("tenant:export", "Export this tenant, while it is suspended, to one file"),
    takes("json", ExportTenant, { optional: true }),
    answers(200, null, "The file; its last line says that it is whole.", NDJSON),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      return exported(c.env, c.get("scope"), c.req.valid("json").passphrase, c.get("nowMs"));
    },
  )
  .post(
    "/erase",
    may("tenant:erase", "Erase this tenant"),
    replays(),
    takes("json", EraseTenant),
    answers(202, ErasureBegun, "Nobody can reach it any more; `status_url` tells how it goes on."),
    async (c) => {
      const principal = c.get("principal");
      demandWholeTenant(principal);
      const { tenantId } = c.get("scope");
      const wanted = { tenantId, ...c.req.valid("json"), requestedBy: principal.id };
      const begun = await erased(c.env, c.get("arrival"), wanted);
      return c.json(begun, 202, { location: begun.status_url });
    },
  );
