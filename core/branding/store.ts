import { type SQL, and, eq } from "drizzle-orm";
import { auditRow, recordedIfChanged } from "../audit/store-record.ts";
import type { TenantScope } from "../db/scope.ts";
import { Problem } from "../problem.ts";
import type { Branding, PutBranding } from "./contract.ts";
import type { Logo } from "./logo.ts";
import { branding } from "./table.ts";

/** A logo as it is served. */
export type StoredLogo = Logo & { readonly digest: string };

type Row = typeof branding.$inferSelect;
type Worn = Omit<Row, "logo">;

/** What a tenant wears that never chose anything. */
const PLAIN: Branding = { name: null, light: {}, dark: {}, logo: null, revision: 1 };

export async function getBranding(scope: TenantScope): Promise<Branding> {
  const [row] = await scope.db.select(WORN).from(branding).where(mine(scope));
  return row === undefined ? PLAIN : toBranding(row);
}

/** The logo's bytes; undefined when there is none. */
export async function findLogo(scope: TenantScope): Promise<StoredLogo | undefined> {
  const [row] = await scope.db
    .select({ type: branding.logoType, data: branding.logo, digest: branding.logoDigest })
    .from(branding)
    .where(mine(scope));
  if (!row || row.type === null || row.data === null || row.digest === null) return undefined;
  const bytes = Uint8Array.from(atob(row.data), (char) => char.charCodeAt(0));
  return { type: row.type, bytes, digest: row.digest };
}

/**
 * Replace name and colours; the logo stays.
 *
 * @throws Problem `version_conflict`
 */
export async function putBranding(
  scope: TenantScope,
  revision: number,
  { name, light, dark }: PutBranding,
  nowMs: number,
): Promise<Branding> {
  return change(scope, revision, { name, light, dark }, nowMs);
}

/** Replace the logo; null takes it off. @throws Problem `version_conflict` */
export async function putLogo(
  scope: TenantScope,
  revision: number,
  logo: StoredLogo | null,
  nowMs: number,
): Promise<Branding> {
  const set =
    logo === null
      ? { logoType: null, logo: null, logoBytes: null, logoDigest: null }
      : {
          logoType: logo.type,
          logo: base64(logo.bytes),
          logoBytes: logo.bytes.byteLength,
          logoDigest: logo.digest,
        };
  return change(scope, revision, set, nowMs);
}

/**
 * The row, made when it is not there yet, changed if it is at `revision`. A tenant that never chose
 * anything is at revision 1, as it was told.
 */
async function change(
  scope: TenantScope,
  revision: number,
  set: Partial<Omit<Row, "tenantId" | "revision">>,
  nowMs: number,
): Promise<Branding> {
  const { db, tenantId } = scope;
  const before = await getBranding(scope);
  const first = { tenantId, light: {}, dark: {}, revision: 1, updatedAtMs: nowMs };
  const { logo: _bytes, ...worn } = set;
  const fact = { action: "branding.changed", kind: "branding", id: tenantId };
  const after = { ...before, ...worn, revision: revision + 1 };
  const entry = await auditRow(scope, { ...fact, before, after }, nowMs);
  const [, [row]] = await db.batch([
    db.insert(branding).values(first).onConflictDoNothing(),
    db
      .update(branding)
      .set({ ...set, revision: revision + 1, updatedAtMs: nowMs, lastChangeId: entry.id })
      .where(and(mine(scope), eq(branding.revision, revision)))
      .returning(WORN),
    recordedIfChanged(scope, entry, branding, mine(scope)),
  ]);
  if (row !== undefined) return toBranding(row);
  throw new Problem("version_conflict", `the branding is no longer at revision ${revision}`);
}

/** All but the bytes. */
const WORN = {
  tenantId: branding.tenantId,
  name: branding.name,
  light: branding.light,
  dark: branding.dark,
  logoType: branding.logoType,
  logoBytes: branding.logoBytes,
  logoDigest: branding.logoDigest,
  revision: branding.revision,
  updatedAtMs: branding.updatedAtMs,
  lastChangeId: branding.lastChangeId,
};

function mine({ tenantId }: TenantScope): SQL {
  return eq(branding.tenantId, tenantId);
}

function toBranding({ name, light, dark, revision, ...row }: Worn): Branding {
  const { logoType, logoBytes, logoDigest } = row;
  const logo =
    logoType === null || logoBytes === null || logoDigest === null
      ? null
      : { media_type: logoType, size_bytes: logoBytes, digest: logoDigest };
  return { name, light, dark, logo, revision };
}

/** In pieces: a call takes only so many arguments. */
function base64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) {
    text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  }
  return btoa(text);
}
