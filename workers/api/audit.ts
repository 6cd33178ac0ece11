/** /v1/audit — who did what: the tenant's trail, its checkpoints, its proof. */
import {
  AuditEntry,
  AuditExportQuery,
  AuditQuery,
  Checkpoint,
  Verification,
  VerifyQuery,
} from "../../core/audit/contract.ts";
import { MEDIA_TYPES, written } from "../../core/audit/export.ts";
import { record } from "../../core/audit/store-record.ts";
import { verifyTrail } from "../../core/audit/store-verify.ts";
import { exportAudit, getAudit, listAudit, listCheckpoints } from "../../core/audit/store.ts";
import { canonical } from "../../core/json/canonical.ts";
import { PageQuery } from "../../core/page.ts";
import { Problem } from "../../core/problem.ts";
import { publicJwks } from "../../core/tokens/signer.ts";
import { streamOf } from "../../durable-objects/agent-runtime/text.ts";
import { sha256 } from "../edge/hash.ts";
import { replays } from "../edge/idempotency.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { gateOf } from "./gate.ts";
import { demandWholeTenant } from "./narrowing.ts";
import { ById, pageSchema } from "./parameters.ts";

export const audit = newRoutes()
  .get(
    "/",
    may("audit:read", "List audit entries"),
    takes("query", AuditQuery),
    answers(200, pageSchema(AuditEntry), "Entries that fit, newest first."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      return c.json(await listAudit(c.get("scope"), c.req.valid("query")));
    },
  )
  .get(
    "/export",
    may("audit:read", "Export the audit trail"),
    takes("query", AuditExportQuery),
    answers(200, null, "Every entry that fits, in the order of the chain.", "application/x-ndjson"),
    answers(200, null, "The same as one array.", "application/json"),
    answers(200, null, "The same for a spreadsheet.", "text/csv"),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const { format, ...filter } = c.req.valid("query");
      const scope = c.get("scope");
      const fact = { action: "audit.exported", kind: "tenant", id: scope.tenantId };
      const detail = { format, filter: sha256(canonical(filter)) };
      await record(scope, { ...fact, detail }, c.get("nowMs"));
      const day = new Date(c.get("nowMs")).toISOString().slice(0, 10);
      return c.body(streamOf(bytesOf(written(exportAudit(scope, filter), format))), 200, {
        "content-type": MEDIA_TYPES[format],
        "content-disposition": `attachment; filename="audit-${day}.${format}"`,
      });
    },
  )
  .get(
    "/verify",
    may("audit:read", "Verify the audit chain"),
    takes("query", VerifyQuery),
    answers(200, Verification, "Whether the trail is what was chained; else the first fault."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const scope = c.get("scope");
      const { from } = c.req.valid("query");
      const { head } = await gateOf(c.env, scope.tenantId).head(scope.tenantId);
      const { keys } = publicJwks(c.get("config").tokenKeys);
      return c.json(await verifyTrail(scope, { from, head, keys }));
    },
  )
  .get(
    "/checkpoints",
    may("audit:read", "List signed checkpoints"),
    takes("query", PageQuery),
    answers(200, pageSchema(Checkpoint), "Checkpoints of the chain, newest first."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      return c.json(await listCheckpoints(c.get("scope"), c.req.valid("query")));
    },
  )
  .post(
    "/checkpoints",
    may("audit:read", "Sign the chain as it is now"),
    replays(),
    answers(201, Checkpoint, "The checkpoint; keep it outside to prove the trail against."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const scope = c.get("scope");
      // First, so that what is signed has it in it.
      const fact = { action: "audit.checkpointed", kind: "tenant", id: scope.tenantId };
      await record(scope, fact, c.get("nowMs"));
      const { checkpoint } = await gateOf(c.env, scope.tenantId).checkpoint(scope.tenantId);
      if (checkpoint !== null) return c.json(checkpoint, 201);
      throw new Problem("conflict", "no key is configured to sign with");
    },
  )
  .get(
    "/:id",
    may("audit:read", "Get an audit entry"),
    takes("param", ById),
    answers(200, AuditEntry, "The entry."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      return c.json(await getAudit(c.get("scope"), c.req.valid("param").id));
    },
  );

async function* bytesOf(texts: AsyncIterable<string>): AsyncGenerator<Uint8Array, void> {
  const encoder = new TextEncoder();
  for await (const text of texts) yield encoder.encode(text);
}
