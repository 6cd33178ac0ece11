/** Reading the trail. Writing it is ./store-record.ts, chaining it ./store-chain.ts. */
import { type SQL, and, asc, desc, eq, gt, gte, isNull, lt, or } from "drizzle-orm";
import { idAfter } from "../db/keyset.ts";
import type { TenantScope } from "../db/scope.ts";
import { type Page, type PageQuery, decodeCursor, pageOf } from "../page.ts";
import { Problem } from "../problem.ts";
import type { AuditEntry, AuditFilter, AuditQuery, Checkpoint } from "./contract.ts";
import { toCheckpoint, toEntry } from "./row.ts";
import { audit, auditCheckpoint } from "./table.ts";

/** Rows of an export read at once. */
const EXPORT_PAGE = 500;

/** Newest first. */
export async function listAudit(scope: TenantScope, query: AuditQuery): Promise<Page<AuditEntry>> {
  const before = idAfter("audit", query.cursor);
  const rows = await scope.db
    .select()
    .from(audit)
    .where(and(...filters(scope, query), before === undefined ? undefined : lt(audit.id, before)))
    .orderBy(desc(audit.id))
    .limit(query.limit + 1);
  return pageOf(rows.map(toEntry), query.limit, (entry) => entry.id);
}

/** @throws Problem `not_found` */
export async function getAudit(scope: TenantScope, id: string): Promise<AuditEntry> {
  const [row] = await scope.db
    .select()
    .from(audit)
    .where(and(eq(audit.tenantId, scope.tenantId), eq(audit.id, id)));
  if (row === undefined) throw new Problem("not_found", "no such entry");
  return toEntry(row);
}

/**
 * Everything that fits, page by page: first what is chained, in the order of the chain, then what
 * is not yet. What is chained while this goes on comes among the latter, once.
 */
export async function* exportAudit(
  scope: TenantScope,
  filter: AuditFilter,
): AsyncGenerator<readonly AuditEntry[]> {
  const where = filters(scope, filter);
  let seq = 0;
  for (;;) {
    const rows = await scope.db
      .select()
      .from(audit)
      .where(and(...where, gt(audit.seq, seq)))
      .orderBy(asc(audit.seq))
      .limit(EXPORT_PAGE);
    if (rows.length > 0) yield rows.map(toEntry);
    seq = rows.at(-1)?.seq ?? seq;
    if (rows.length < EXPORT_PAGE) break;
  }
  let id = "";
  for (;;) {
    const rows = await scope.db
      .select()
      .from(audit)
      .where(and(...where, or(isNull(audit.seq), gt(audit.seq, seq)), gt(audit.id, id)))
      .orderBy(asc(audit.id))
      .limit(EXPORT_PAGE);
    if (rows.length > 0) yield rows.map(toEntry);
    id = rows.at(-1)?.id ?? id;
    if (rows.length < EXPORT_PAGE) return;
  }
}

/** Newest first. */
export async function listCheckpoints(
  scope: TenantScope,
  page: PageQuery,
): Promise<Page<Checkpoint>> {
  const before = seqBefore(page.cursor);
  const rows = await scope.db
    .select()
    .from(auditCheckpoint)
    .where(
      and(
        eq(auditCheckpoint.tenantId, scope.tenantId),
        before === undefined ? undefined : lt(auditCheckpoint.seq, before),
      ),
    )
    .orderBy(desc(auditCheckpoint.seq))
    .limit(page.limit + 1);
  return pageOf(rows.map(toCheckpoint), page.limit, ({ seq }) => String(seq));
}

function filters(scope: TenantScope, filter: AuditFilter): readonly (SQL | undefined)[] {
  const { action, actor, resource_kind: kind, resource_id: id, result, since, until } = filter;
  return [
    eq(audit.tenantId, scope.tenantId),
    action === undefined ? undefined : eq(audit.action, action),
    actor === undefined ? undefined : eq(audit.actorId, actor),
    kind === undefined ? undefined : eq(audit.resourceKind, kind),
    id === undefined ? undefined : eq(audit.resourceId, id),
    result === undefined ? undefined : eq(audit.result, result),
    since === undefined ? undefined : gte(audit.atMs, Date.parse(since)),
    until === undefined ? undefined : lt(audit.atMs, Date.parse(until)),
  ];
}

function seqBefore(cursor: string | undefined): number | undefined {
  if (cursor === undefined) return undefined;
  const text = decodeCursor(cursor);
  if (/^[1-9][0-9]{0,14}$/.test(text)) return Number(text);
  throw new Problem("bad_request", "the cursor is not one of this list's", {
    errors: [{ pointer: "cursor", detail: "not a cursor of this list" }],
  });
}
