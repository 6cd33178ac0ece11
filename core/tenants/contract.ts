import { z } from "zod";
import { IssuedKey } from "../keys/contract.ts";
import { Description, Name, Slug } from "../names.ts";
import { Email, User } from "../users/contract.ts";
import { slugFault } from "./slug.ts";

export const TenantStatus = z.enum(["active", "suspended", "erasing"]);
export type TenantStatus = z.infer<typeof TenantStatus>;

/** Who may become a user of the tenant by themselves. */
export const Registration = z.enum(["open", "closed"]);
export type Registration = z.infer<typeof Registration>;

/** Parts of the world; Cloudflare places an object near one, as well as it can. */
export const LocationHint = z.enum([
  "wnam",
  "enam",
  "sam",
  "weur",
  "eeur",
  "apac",
  "oc",
  "afr",
  "me",
]);
export type LocationHint = z.infer<typeof LocationHint>;

/** What may be switched per tenant by the platform, and what it is unless switched. */
export const DEFAULT_FLAGS = {
  custom_hostnames: true,
  self_registration: true,
  sso: true,
  white_label: true,
} as const satisfies Record<string, boolean>;

export const FLAGS = Object.keys(DEFAULT_FLAGS) as readonly Flag[]; // its own keys, no others
export type Flag = keyof typeof DEFAULT_FLAGS;

export const Flags = z.record(z.enum(FLAGS), z.boolean());
export type Flags = Readonly<Record<Flag, boolean>>;

/** What somebody who registered is, unless the tenant says otherwise. */
export const LEAST_ROLE = "viewer";

export const Tenant = z.object({
  id: z.string(),
  slug: z.string(),
  name: z.string(),
  status: TenantStatus,
  /** Null for a tenant from before there were tiers. */
  tier: z.string().nullable(),
  /** Where its objects are made; null is near whoever deploys first. */
  location: LocationHint.nullable(),
  flags: Flags,
  registration: Registration,
  /** The role of somebody who registered. */
  default_role: z.string(),
  suspended_at: z.string().nullable(),
  suspended_reason: z.string().nullable(),
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
  /** The installation's first tier when absent. */
  tier: z.string().max(40).optional(),
  location: LocationHint.optional(),
});
export type ProvisionTenant = z.infer<typeof ProvisionTenant>;

/** Body of `PATCH /v1/tenants/{id}`: what the platform alone decides, and the name. */
export const TenantPatch = z.strictObject({
  name: Name.optional(),
  tier: z.string().max(40).optional(),
  /** Of objects that are made from now on: one that is there stays where it is. */
  location: LocationHint.nullable().optional(),
  /** Those named change; null takes back what was switched. */
  flags: z.partialRecord(z.enum(FLAGS), z.boolean().nullable()).optional(),
});
export type TenantPatch = z.infer<typeof TenantPatch>;

/** Body of `POST /v1/tenants/{id}/suspend`. */
export const SuspendTenant = z.strictObject({ reason: Description.optional() });
export type SuspendTenant = z.infer<typeof SuspendTenant>;

/** Body of `PATCH /v1/tenant`: what a tenant decides about itself. */
export const OwnTenantPatch = z.strictObject({
  name: Name.optional(),
  registration: Registration.optional(),
  default_role: Slug.optional(),
});
export type OwnTenantPatch = z.infer<typeof OwnTenantPatch>;

/** What provisioning made; the key's secret is shown here and never again. */
export const ProvisionedTenant = z.object({ tenant: Tenant, admin: User, key: IssuedKey });
export type ProvisionedTenant = z.infer<typeof ProvisionedTenant>;
