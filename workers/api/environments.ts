/** /v1/environments — the named targets of the tenant. */
import { Environment } from "../../core/environments/contract.ts";
import { listEnvironments } from "../../core/environments/store.ts";
import { answers, may, newRoutes } from "../edge/routes.ts";
import { pageSchema } from "./parameters.ts";

export const environments = newRoutes().get(
  "/",
  may("deployments:read", "List environments"),
  answers(200, pageSchema(Environment), "All environments."),
  async (c) => c.json({ data: await listEnvironments(c.get("scope")), next_cursor: null }),
);
