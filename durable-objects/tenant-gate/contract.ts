/** What a tenant's gate can be asked. Refusals are values. */

/** The one gate of a tenant. Ids, never slugs (DECISIONS 1). */
export function gateName(tenantId: string): string {
  return JSON.stringify([tenantId]);
}

export interface TenantGateRpc {
  /** Is this the gate of that tenant? A new gate becomes it. */
  settle(tenantId: string): Promise<boolean>;
}
