/** Tiers: what a tenant may have at most, by what it pays for. */
import { z } from "zod";

/** Nouns a tier may bound. The same words stand in `TIERS` and on the wire. */
export const QUOTA_NOUNS = [
  "agents",
  "clients",
  "hostnames",
  "keys",
  "members",
  "projects",
  "providers",
  "secrets",
] as const;
export type QuotaNoun = (typeof QUOTA_NOUNS)[number];

const MAX_QUOTA = 1_000_000_000;

/** Most of each noun; one that is absent is unbounded. */
const Quotas = z.partialRecord(z.enum(QUOTA_NOUNS), z.number().int().min(0).max(MAX_QUOTA));

const Tier = z.strictObject({
  slug: z.string().regex(/^[a-z][a-z0-9-]{0,39}$/),
  quotas: Quotas,
});
export type Tier = z.infer<typeof Tier>;

/** The setting `TIERS`. The first one is a new tenant's, unless provisioning says otherwise. */
export const Tiers = z
  .array(Tier)
  .min(1)
  .max(12)
  .refine((all) => new Set(all.map(({ slug }) => slug)).size === all.length);
export type Tiers = readonly Tier[];

/** What an installation has that says nothing else. */
export const DEFAULT_TIERS: Tiers = [
  {
    slug: "free",
    quotas: {
      agents: 10,
      clients: 5,
      hostnames: 1,
      keys: 25,
      members: 10,
      projects: 3,
      providers: 5,
      secrets: 25,
    },
  },
  {
    slug: "team",
    quotas: {
      agents: 100,
      clients: 50,
      hostnames: 10,
      keys: 500,
      members: 100,
      projects: 25,
      providers: 50,
      secrets: 500,
    },
  },
  { slug: "business", quotas: {} },
];

/** The tier of this slug, if the installation has it. */
export function tierOf(tiers: Tiers, slug: string): Tier | undefined {
  return tiers.find((tier) => tier.slug === slug);
}

/** One line of `GET /v1/tenant/quotas`; `allowed` null is unbounded. */
export const QuotaUse = z.object({
  noun: z.enum(QUOTA_NOUNS),
  used: z.number().int(),
  allowed: z.number().int().nullable(),
});

/** Body of `GET /v1/tenant/quotas`; a tenant without a tier is bounded by none. */
export const TenantQuotas = z.object({ tier: z.string().nullable(), quotas: z.array(QuotaUse) });
export type TenantQuotas = z.infer<typeof TenantQuotas>;
