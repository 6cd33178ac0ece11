/** Whole tenants out and in, on the platform's host. docs/transfer.md describes the file. */
import type { Context } from "hono";
import { z } from "zod";
import { actingAs, type TenantScope, tenantScope } from "../../core/db/scope.ts";
import { isId } from "../../core/ids.ts";
import { Problem } from "../../core/problem.ts";
import { getTenant } from "../../core/tenants/store.ts";
import { ExportTenant, ImportedTenant, Transfer } from "../../core/transfer/contract.ts";
import { beginTransfer, getTransfer, toTransfer } from "../../core/transfer/store.ts";
import { streamOf } from "../../durable-objects/agent-runtime/text.ts";
import { actorOf } from "../edge/actor.ts";
import type { PlatformEnv, WithPrincipal } from "../edge/context.ts";
import { answers, may, newPlatformRoutes, takes } from "../edge/routes.ts";
import { demandSuspended, exportFile, settleObjects } from "../jobs/export.ts";
import { importTenant } from "../jobs/import.ts";
import { lifeJob } from "../jobs/life.ts";
import { ById } from "./parameters.ts";

export const NDJSON = "application/x-ndjson";

/** Under another slug the next export differs in that one word. */
const ImportQuery = z.strictObject({ slug: z.string().max(63).optional() });

/** /v1/tenants/{id}/export and /v1/tenants/import */
export const transfersOfTenants = newPlatformRoutes()
  .post(
    "/import",
    may("tenants:provision", "Import a tenant from its file"),
    takes("query", ImportQuery),
    answers(201, ImportedTenant, "The tenant, suspended until it is reactivated."),
    async (c) => {
      const body = fileOf(c.req.raw);
      const { slug } = c.req.valid("query");
      const { importMaxBytes: maxBytes } = c.get("config");
      const wanted = { body, maxBytes, slug, requestedBy: c.get("principal").id };
      const transfer = await importTenant(lifeJob(c.env), wanted);
      const tenant = await getTenant(c.get("platform"), transfer.tenantId);
      const location = `/v1/tenants/${tenant.id}`;
      return c.json({ transfer: toTransfer(transfer), tenant }, 201, { location });
    },
  )
  .post(
    "/:id/export",
    may("tenants:write", "Export a suspended tenant to one file"),
    takes("param", ById),
    takes("json", ExportTenant, { optional: true }),
    answers(200, null, "The file; its last line says that it is whole.", NDJSON),
    async (c) => {
      const scope = scopeOf(c, c.req.valid("param").id);
      await getTenant(c.get("platform"), scope.tenantId);
      return exported(c.env, scope, c.req.valid("json").passphrase, c.get("nowMs"));
    },
  );

/** /v1/transfers */
export const transfers = newPlatformRoutes().get(
  "/:id",
  may("tenants:read", "Get an export or import"),
  takes("param", ById),
  answers(200, Transfer, "How far it has come."),
  async (c) => c.json(await getTransfer(c.get("platform"), c.req.valid("param").id)),
);

/**
 * The tenant's file as an answer.
 *
 * @param scope  The tenant's rows, on behalf of whoever asks.
 * @throws Problem `conflict` unless the tenant is suspended
 */
export async function exported(
  env: Env,
  scope: TenantScope,
  passphrase: string | undefined,
  nowMs: number,
): Promise<Response> {
  const job = lifeJob(env);
  const { tenantId, by } = scope;
  await demandSuspended(scope);
  await settleObjects(job, tenantId);
  const of = { tenantId, kind: "export", requestedBy: by.id } as const;
  const transfer = await beginTransfer(job.platform, of, nowMs);
  return new Response(streamOf(exportFile(job, scope, transfer, passphrase)), {
    headers: {
      "content-type": NDJSON,
      "content-disposition": `attachment; filename="${tenantId}.ndjson"`,
      "content-location": `/v1/transfers/${transfer.id}`,
    },
  });
}

/** @throws Problem `unsupported_media_type` | `bad_request` */
function fileOf(request: Request): ReadableStream<Uint8Array> {
  const [type = ""] = (request.headers.get("content-type") ?? "").toLowerCase().split(";");
  if (type.trim() !== NDJSON) {
    throw new Problem("unsupported_media_type", `send ${NDJSON}`, {
      errors: [{ pointer: "content-type", detail: `must be ${NDJSON}` }],
    });
  }
  if (request.body === null) throw new Problem("bad_request", "there is no file");
  return request.body;
}

/** @throws Problem `not_found` for no tenant's id */
function scopeOf(c: Context<PlatformEnv & WithPrincipal>, id: string): TenantScope {
  if (!isId("tenant", id)) throw new Problem("not_found", "no such tenant");
  const by = actorOf(c.get("principal"), c.get("arrival"));
  return actingAs(tenantScope(c.get("platform"), id), by);
}
