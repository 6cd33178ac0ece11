/** /v1/sealing on the platform host — how far a rotation of the master key is. */
import { Sealing } from "../../core/data-keys/contract.ts";
import { answers, may, newPlatformRoutes } from "../edge/routes.ts";
import { sealingOf } from "../jobs/reseal.ts";

export const sealing = newPlatformRoutes().get(
  "/",
  may("tenants:read", "Count what each master key still holds"),
  answers(200, Sealing, "A master key that holds nothing may be dropped."),
  async (c) => c.json(await sealingOf(c.get("platform"), c.get("config"))),
);
