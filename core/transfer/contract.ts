import { z } from "zod";
import { Tenant } from "../tenants/contract.ts";

export const TransferKind = z.enum(["export", "import"]);
export type TransferKind = z.infer<typeof TransferKind>;
export const TransferStatus = z.enum(["running", "done", "failed"]);
export type TransferStatus = z.infer<typeof TransferStatus>;

/** One export or import of a whole tenant, while it goes on and after. */
export const Transfer = z.object({
  id: z.string(),
  tenant_id: z.string(),
  kind: TransferKind,
  status: TransferStatus,
  /** Lines of the file so far. */
  lines: z.number().int(),
  size_bytes: z.number().int(),
  /** Of everything before the manifest, hexadecimal; null until it is whole. */
  sha256: z.string().nullable(),
  error: z.string().nullable(),
  created_at: z.string(),
  updated_at: z.string(),
});
export type Transfer = z.infer<typeof Transfer>;

/** Long enough that guessing it costs more than what it protects; never stored. */
export const Passphrase = z.string().min(12).max(1024);

/** Body of both export routes. Without a passphrase secrets stay behind. */
export const ExportTenant = z.strictObject({ passphrase: Passphrase.optional() });
export type ExportTenant = z.infer<typeof ExportTenant>;

/** What an import made: the tenant is suspended until the platform reactivates it. */
export const ImportedTenant = z.object({ transfer: Transfer, tenant: Tenant });

/** Largest line of a file, in bytes: a row of an object has at most 2 MB, escaped. */
export const LINE_MAX_BYTES = 16 * 1024 * 1024;

/** What the columns of a row hold: text, whole numbers, or nothing. */
export const Value = z.union([z.string(), z.number().int(), z.null()]);
export type Value = string | number | null;
export type Row = Readonly<Record<string, Value>>;

const Row = z.record(z.string(), z.union([z.string(), z.number(), z.null()]));

/** The first line. `check` tells a wrong passphrase before anything is written. */
export const Header = z.strictObject({
  berth: z.literal("tenant"),
  format: z.literal(1),
  tenant: z.string(),
  secrets: z.enum(["left_out", "wrapped"]),
  check: z.string().optional(),
});
export type Header = z.infer<typeof Header>;

/** A row of the control plane; the tenant's id, which would stand in each, is the header's. */
export const TableLine = z.strictObject({ t: z.string(), r: Row });

/** The object whose rows follow: an agent's, or the tenant's gate. */
export const ObjectLine = z.strictObject({
  object: z.union([
    z.literal("gate"),
    z.strictObject({
      agent_id: z.string(),
      environment: z.string(),
      replica: z.number().int(),
    }),
  ]),
});
export type ObjectLine = z.infer<typeof ObjectLine>;

/** A row of that object. */
export const ObjectRowLine = z.strictObject({ o: z.string(), r: Row });

/** The last line: a file without it is not whole. */
export const Manifest = z.strictObject({
  manifest: z.strictObject({
    tenant: z.string(),
    tables: z.record(z.string(), z.number().int()),
    objects: z.number().int(),
    object_rows: z.record(z.string(), z.number().int()),
    lines: z.number().int(),
    sha256: z.string(),
  }),
});
export type Manifest = z.infer<typeof Manifest>;

export const Line = z.union([TableLine, ObjectRowLine, ObjectLine, Manifest]);
export type Line = z.infer<typeof Line>;
