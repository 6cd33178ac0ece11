/** /health and /ready — alive, and able to answer; the same on every host. */
import { Hono } from "hono";
import { z } from "zod";
import { Problem } from "../../core/problem.ts";
import { listTenants } from "../../core/tenants/store.ts";
import type { Arrival } from "../edge/arrival.ts";
import type { EdgeEnv } from "../edge/context.ts";
import { principalOf } from "../edge/principal.ts";
import { answers, open } from "../edge/routes.ts";

export const VERSION = "0.1.0";

const Health = z.object({
  status: z.literal("ok"),
  version: z.string(),
  /** What is configured; never with what. */
  environment: z.record(z.string(), z.union([z.boolean(), z.string()])),
  /** Of the host, and of the credential when one that is good is presented; else nulls. */
  tenant_context: z.object({
    tenant: z.string().nullable(),
    workspace_id: z.string().nullable(),
    user_id: z.string().nullable(),
  }),
});

const Ready = z.object({ status: z.literal("ready") });
const Unready = z.object({ status: z.literal("unready") });

export const health = new Hono<EdgeEnv>()
  .get("/health", open("Alive"), answers(200, Health, "It answers."), async (c) => {
    const config = c.get("config");
    const host = c.get("host");
    return c.json({
      status: "ok" as const,
      version: VERSION,
      environment: {
        name: config.environment,
        control_plane: config.controlPlane,
        database_configured: config.controlPlane === "d1" || config.databaseUrl !== undefined,
        sealing: config.masterKeys.length > 0,
        token_signing: config.tokenSigningJwk !== undefined,
        token_issuers: config.tokenIssuers.length > 0,
      },
      tenant_context: {
        tenant: host.kind === "tenant" ? host.slug : null,
        ...(await bearer(c.get("arrival"))),
      },
    });
  })
  .get(
    "/ready",
    open("Ready to serve"),
    answers(200, Ready, "The store answers."),
    answers(503, Unready, "It does not; ask again."),
    async (c) => {
      try {
        await listTenants(c.get("services").platform, { limit: 1 });
        return c.json({ status: "ready" as const });
      } catch {
        return c.json({ status: "unready" as const }, 503, { "retry-after": "1" });
      }
    },
  );

/** Whoever asks; nobody for no credential and for one that is not good: being alive is told to all. */
async function bearer(arrival: Arrival) {
  const nobody = { workspace_id: null, user_id: null };
  try {
    const principal = await principalOf(arrival);
    return principal ? { workspace_id: principal.tenantId, user_id: principal.id } : nobody;
  } catch (error) {
    if (error instanceof Problem) return nobody;
    throw error;
  }
}
