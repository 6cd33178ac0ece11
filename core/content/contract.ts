/** What becomes of what a tenant's invocations hold: how long it is kept, and whether sealed. */
import { z } from "zod";

/** A century: whoever wants longer says `null`. */
const Days = z.number().int().min(0).max(36_500).nullable();

/**
 * Days after an invocation's end, by class; null keeps it for ever, 0 only as long as the ledger needs it.
 *
 * `requests`: input, output, metadata, errors, and with them all of the others. `events`: the event
 * log. `journals`: what steps were given and gave. `usage`: records of use and cost.
 */
const RETENTION = { requests_days: Days, events_days: Days, journals_days: Days, usage_days: Days };

export const ContentPolicy = z.object({
  retention: z.object(RETENTION),
  /** Content is sealed in the agents' objects under a key of the tenant's. */
  sealing: z.boolean(),
  revision: z.number().int(),
  updated_at: z.string().nullable(),
});
export type ContentPolicy = z.infer<typeof ContentPolicy>;

/** Body of `PATCH /v1/tenant/content`; what is left out stays. */
export const ContentPatch = z
  .strictObject({ retention: z.strictObject(RETENTION).partial(), sealing: z.boolean() })
  .partial()
  .refine(
    ({ retention, sealing }) =>
      sealing !== undefined || (retention !== undefined && Object.keys(retention).length > 0),
    "nothing to change",
  );
export type ContentPatch = z.infer<typeof ContentPatch>;

/** Of a tenant that has said nothing: everything stays until it is erased. */
export const KEPT_FOR_EVER: ContentPolicy["retention"] = {
  requests_days: null,
  events_days: null,
  journals_days: null,
  usage_days: null,
};

/** Milliseconds after an invocation's end; null for ever. */
export type Retention = {
  readonly requestsMs: number | null;
  readonly eventsMs: number | null;
  readonly journalsMs: number | null;
};

/** The policy as a release carries it to an object. */
export type ReleaseContent = {
  readonly retention: Retention;
  /** What is written from now on is sealed. */
  readonly seals: boolean;
  /** The tenant's content key, sealed for `SEALED_FOR`; null where nothing ever was. */
  readonly key: string | null;
};

/** The kind and the id the content key is sealed for. */
export const SEALED_FOR = { kind: "content", id: "content" } as const;

/** Seals a new content key. */
export type SealContentKey = (id: string, key: string) => Promise<string>;

/**
 * How long the row of an invocation that was made with a key outlives its content: the key means
 * that invocation for a week after its end at least (DECISIONS 16, 31).
 */
export const STUB_MS = 7 * 86_400_000;
