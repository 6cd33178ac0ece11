import type { Access } from "../access/contract.ts";
import type { Principal } from "../principals/contract.ts";
import type { KeyRow } from "./store.ts";

/** What a good key may, its owner left aside. */
export function principalOfRow(row: KeyRow): Principal {
  return {
    kind: "key",
    id: row.id,
    tenantId: row.tenantId,
    scopes: row.scopes,
    ...(row.projectId === null ? {} : { projectId: row.projectId }),
    ...(row.agentId === null ? {} : { agentId: row.agentId }),
    ...(row.environment === null ? {} : { environment: row.environment }),
    ...(row.ownerId === null ? {} : { ownerId: row.ownerId }),
    ...(row.meterId === null ? {} : { lineId: row.meterId }),
    ...(row.meter === undefined ? {} : { meter: row.meter }),
    ...(row.expiresAtMs === null ? {} : { endsAtMs: row.expiresAtMs }),
  };
}

/** A personal key may what it was made for, as far as its owner may that now. */
export function boundTo(row: KeyRow, { scopes, grants }: Access): Principal {
  const held = row.scopes.filter((scope) => scopes.includes(scope));
  return { ...principalOfRow(row), scopes: held, grants };
}
