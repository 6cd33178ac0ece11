import { z } from "zod";
import type { ObjectRow } from "../agent-runtime/contract.ts";
import { ownerIn } from "./holders.ts";

const Units = z.number().int().min(0);
const Kind = z.enum(["rate", "concurrency", "money"]);
/** JSON of percentages. */
const Thresholds = z.string().regex(/^\[(?:\d{1,9}(?:,\d{1,9})*)?\]$/);

const Allowance = z.object({ kind: Kind, cap: Units, warn: Thresholds, used: Units });
const Lease = z.object({ granted: Units, returned: Units, used: Units, held: Units });

/** Whether this tenant's gate can read what a row that comes in holds; its columns have their types. */
export function rowReader(tenantId: string): (row: ObjectRow) => boolean {
  return ({ table, row }) => {
    if (table === "allowance") return Allowance.safeParse(row).success;
    if (table !== "lease") return true;
    const { holder } = row;
    const owner = typeof holder === "string" ? ownerIn(holder) : undefined;
    return owner?.tenantId === tenantId && Lease.safeParse(row).success;
  };
}
