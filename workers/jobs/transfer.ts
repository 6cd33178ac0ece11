/** What exports and imports need of the shell, beside the stores. */
import { createHash, scrypt } from "node:crypto";
import type { SQLiteTable } from "drizzle-orm/sqlite-core";
import { tableName } from "../../core/erasure/store-sweep.ts";
import { RULES, type Rule } from "../../core/transfer/rules.ts";
import type { Stretch } from "../../core/transfer/secrets.ts";
import type { PlatformScope } from "../../core/db/scope.ts";
import type { MasterKey } from "../../core/seal/contract.ts";
import type { AgentRuntimeRpc, Owner } from "../../durable-objects/agent-runtime/contract.ts";
import type { TenantGateRpc } from "../../durable-objects/tenant-gate/contract.ts";

export type TransferJob = {
  readonly platform: PlatformScope;
  /** Every table of the control plane, in the order of migrations/tables.ts. */
  readonly tables: readonly SQLiteTable[];
  readonly masterKeys: readonly MasterKey[];
  readonly runtimeOf: (
    owner: Owner,
  ) => Pick<
    AgentRuntimeRpc,
    | "rest"
    | "exportPage"
    | "importPage"
    | "erase"
    | "ledger"
    | "acknowledge"
    | "approvalsOwed"
    | "acknowledgeApprovals"
  >;
  readonly gateOf: (
    tenantId: string,
  ) => Pick<TenantGateRpc, "chain" | "exportPage" | "importPage" | "erase">;
  readonly now: () => number;
};

type Exported = Extract<Rule, { take: "exported" }>;
export type ExportedTable = {
  readonly name: string;
  readonly table: SQLiteTable;
  readonly rule: Exported;
};

/**
 * Tables of a file, in its order.
 *
 * @throws Error  for a table without a rule: a defect, before it becomes a loss.
 */
export function exportedTables(tables: readonly SQLiteTable[]): readonly ExportedTable[] {
  return tables.flatMap((table) => {
    const name = tableName(table);
    const rule = RULES[name];
    if (rule === undefined) throw new Error(`no rule says what an export takes of ${name}`);
    return rule.take === "exported" ? [{ name, table, rule }] : [];
  });
}

/** Of everything said so far; a running one, which WebCrypto has not. */
export type Digest = { update(text: string): void; hex(): string };

export function newDigest(): Digest {
  const hash = createHash("sha256");
  return {
    update: (text) => void hash.update(text, "utf8"),
    hex: () => hash.copy().digest("hex"),
  };
}

/** scrypt with the parameters passwords are kept with; 16 MiB for a moment. */
export const stretch: Stretch = (passphrase, salt) =>
  new Promise((resolve, reject) => {
    scrypt(passphrase, salt, 64, { N: 16_384, r: 8, p: 5 }, (error, key) => {
      if (error) reject(error);
      else resolve(new Uint8Array(key));
    });
  });
