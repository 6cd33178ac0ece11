import { z } from "zod";
import { IssuedKey } from "../keys/contract.ts";
import { Name } from "../names.ts";
import { Email, User } from "../users/contract.ts";
import { slugFault } from "./slug.ts";

export const TenantStatus = z.enum(["active", "suspended", "erasing"]);
export type TenantStatus = z.infer<typeof TenantStatus>;

export const Tenant = z.object({
  id: z.string(),
  slug: z.string(),
  name: z.string(),
  status: TenantStatus,
  revision: z.number().int(),
  created_at: z.string(),
});
export type Tenant = z.infer<typeof Tenant>;

/** A slug that can be served as a hostname; the message says what is wrong. */
const TenantSlug = z.string().check((context) => {
  const fault = slugFault(context.value);
  if (fault !== undefined) {
    context.issues.push({ code: "custom", message: fault, input: context.value });
  }
});

/** Body of `POST /v1/tenants` on the platform host. */
export const ProvisionTenant = z.strictObject({
  slug: TenantSlug,
  name: Name,
  admin: z.strictObject({ email: Email, name: Name }),
});
export type ProvisionTenant = z.infer<typeof ProvisionTenant>;

/** What provisioning made; the key's secret is shown here and never again. */
export const ProvisionedTenant = z.object({ tenant: Tenant, admin: User, key: IssuedKey });
export type ProvisionedTenant = z.infer<typeof ProvisionedTenant>;
