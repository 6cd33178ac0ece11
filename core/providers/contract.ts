import { z } from "zod";
import { Slug } from "../names.ts";
import { SecretName } from "../secrets/contract.ts";

export const Provider = z.object({
  id: z.string(),
  /** The part of a model's name before the slash. */
  slug: z.string(),
  kind: z.enum(["openai"]),
  base_url: z.string(),
  has_key: z.boolean(),
  /** The named secret that is its key, if one is. */
  api_key_secret: z.string().nullable(),
  revision: z.number().int(),
  created_at: z.string(),
});
export type Provider = z.infer<typeof Provider>;

/** What a model reference may start with, and `local` is ours. */
const ProviderSlug = Slug.max(40)
  .regex(/^[a-z]/, "starts with a letter")
  .refine((slug) => slug !== "local", "`local` is built in");

const BaseUrl = z.url({ protocol: /^https?$/ }).max(500);

/** Printable ASCII: it goes into a header. */
const ApiKey = z
  .string()
  .min(1)
  .max(1000)
  .regex(/^[\x21-\x7e]+$/, "printable ASCII without spaces");

const ONE_KEY = "give api_key or api_key_secret, not both";

/** Body of `POST /v1/providers`. The key is sealed at once and never returned. */
export const CreateProvider = z
  .strictObject({
    slug: ProviderSlug,
    kind: z.enum(["openai"]),
    base_url: BaseUrl,
    api_key: ApiKey.optional(),
    /** Instead of `api_key`: a named secret, whose rotation is then the key's. */
    api_key_secret: SecretName.optional(),
  })
  .refine((it) => it.api_key === undefined || it.api_key_secret === undefined, ONE_KEY);
export type CreateProvider = z.infer<typeof CreateProvider>;

/** Body of `PATCH /v1/providers/{id}`; null takes the key away, and either kind replaces the other. */
export const ProviderPatch = z
  .strictObject({
    base_url: BaseUrl.optional(),
    api_key: ApiKey.nullable().optional(),
    api_key_secret: SecretName.nullable().optional(),
  })
  .refine((patch) => Object.keys(patch).length > 0, "nothing to change")
  .refine((it) => it.api_key === undefined || it.api_key_secret === undefined, ONE_KEY);
export type ProviderPatch = z.infer<typeof ProviderPatch>;

/** Seals a provider's key under additional data `tenantId|provider|id`; the shell's `core/seal`. */
export type SealProviderKey = (
  owner: { readonly tenantId: string; readonly providerId: string },
  plaintext: string,
) => Promise<string>;
