/**
 * What an agent knows beyond one conversation: items it was told or noted down, each with where it
 * comes from, and passages of documents. Both are found by one search.
 *
 * Two times belong to an item: when it was learned (and superseded), and from when until when it is
 * true. `as_of` asks by the first, `valid_at` by the second.
 */
import { z } from "zod";
import { IdOrSlug, Slug } from "../names.ts";
import { PageQuery } from "../page.ts";

/** How text becomes vectors: `local/hash` (words alone, no key needed) or `provider/model`. */
export const EmbeddingRef = z
  .string()
  .max(200)
  .regex(/^[a-z][a-z0-9-]{0,39}\/[A-Za-z0-9@:._/-]{1,160}$/, "expected provider/model");

/** What is recalled before each turn, into what the model is told. */
export const RecallSpec = z.strictObject({
  /** Passages at most; 0 recalls nothing by itself. */
  limit: z.number().int().min(0).max(20).default(6),
  max_tokens: z.number().int().min(1).max(20_000).default(1500),
  /** Cosine below which closeness alone brings nothing up. */
  min_similarity: z.number().min(0).max(1).default(0.25),
});
export type RecallSpec = z.infer<typeof RecallSpec>;

/** An agent's memory. Without this section it has none, and pays for none. */
export const MemorySpec = z.strictObject({
  embeddings: EmbeddingRef.default("local/hash"),
  recall: RecallSpec.prefault({}),
  /** Offer the model `remember` and `recall`. */
  tools: z.boolean().default(true),
  /** Who recalls what a run notes down: the caller alone, or everybody who speaks with the agent. */
  shared: z.boolean().default(false),
});
export type MemorySpec = z.infer<typeof MemorySpec>;

/** The tools that a memory brings. */
export const MEMORY_TOOLS = ["remember", "recall"] as const;

const Subject = z.string().min(1).max(200);
const Time = z.iso.datetime({ offset: true });
const Text = z
  .string()
  .min(1)
  .max(8000)
  .refine((text) => text.isWellFormed() && text.trim() !== "", "expected text");
const Subjects = { subject: Subject.optional(), topic: z.string().min(1).max(200).optional() };

/** Whose memory: an agent's, in an environment. */
const Of = { agent: IdOrSlug, environment: Slug.default("prod") };

export const CreateMemory = z.strictObject({
  ...Of,
  text: Text,
  /** Whom or what it is about: what is forgotten together. */
  ...Subjects,
  /** Who said it; the caller unless said. */
  author: z.string().min(1).max(200).optional(),
  confidence: z.number().min(0).max(1).default(1),
  valid_from: Time.optional(),
  valid_until: Time.optional(),
  /** The item this one is true instead of. */
  supersedes: z.string().max(80).optional(),
  /** Principals that may recall it (`key_…`, `usr_…`); everybody when absent. */
  readers: z.array(z.string().min(1).max(80)).min(1).max(50).optional(),
});
export type CreateMemory = z.infer<typeof CreateMemory>;

/** Where an item comes from. */
const Origin = z.object({
  /** `run`: noted down by the agent. `api`: written by somebody. */
  kind: z.enum(["run", "api"]),
  invocation_id: z.string().nullable(),
  session_id: z.string().nullable(),
});

export const Memory = z.object({
  id: z.string(),
  text: z.string(),
  subject: z.string().nullable(),
  topic: z.string().nullable(),
  author: z.string(),
  source: Origin,
  confidence: z.number(),
  readers: z.array(z.string()).nullable(),
  learned_at: z.string(),
  valid_from: z.string().nullable(),
  valid_until: z.string().nullable(),
  supersedes: z.string().nullable(),
  superseded_by: z.string().nullable(),
  superseded_at: z.string().nullable(),
  /** By what its vector was made; null until it has one: then only its words find it. */
  embedding: z.string().nullable(),
});
export type Memory = z.infer<typeof Memory>;

/** Of an agent's memory, in the order it was learned. */
export const MemoryListQuery = PageQuery.extend({
  ...Of,
  subject: Subject.optional(),
  /** What was known then; now when absent. */
  as_of: Time.optional(),
  /** `all`: also what was superseded. */
  include: z.enum(["current", "all"]).default("current"),
});
export type MemoryListQuery = z.infer<typeof MemoryListQuery>;

export const MemorySearch = z.strictObject({
  ...Of,
  query: z.string().min(1).max(2000),
  limit: z.number().int().min(1).max(50).default(10),
  subject: Subject.optional(),
  as_of: Time.optional(),
  /** What is true then; the same moment as `as_of` when absent. */
  valid_at: Time.optional(),
  /** Recall as this principal would; what has a list of readers is left out without. */
  reader: z.string().min(1).max(80).optional(),
  min_similarity: z.number().min(0).max(1).default(0.25),
});
export type MemorySearch = z.infer<typeof MemorySearch>;

/** A passage that was found, and why. */
export const Recalled = z.object({
  /** `mry_…` or `doc_…`, and which part of it. */
  id: z.string(),
  part: z.number(),
  kind: z.enum(["memory", "document"]),
  /** What a citation names. */
  title: z.string(),
  text: z.string(),
  subject: z.string().nullable(),
  learned_at: z.string(),
  /** Reciprocal rank fusion of both rankings. */
  score: z.number(),
  why: z.object({
    /** Words of the query that are in it. */
    words: z.array(z.string()),
    /** Places in the two rankings, from 1; null where it was not found that way. */
    word_rank: z.number().nullable(),
    vector_rank: z.number().nullable(),
    similarity: z.number().nullable(),
  }),
});
export type Recalled = z.infer<typeof Recalled>;

export const MemoryFound = z.object({
  data: z.array(Recalled),
  /** What compared meanings; `lexical` when it knows words alone. */
  embedding: z.object({ model: z.string(), lexical: z.boolean() }),
});
export type MemoryFound = z.infer<typeof MemoryFound>;

export const ForgetSubject = z.strictObject({ ...Of, subject: Subject });
export type ForgetSubject = z.infer<typeof ForgetSubject>;

/** What forgetting reached. */
export const Forgotten = z.object({
  memories: z.number(),
  documents: z.number(),
  /** Index entries, each with its vector. */
  passages: z.number(),
  /** Turns it was learned in or recalled for: what was said in them is gone. */
  turns: z.number(),
  /** Summaries of sessions that were made from such turns; they are made anew from what is left. */
  summaries: z.number(),
});
export type Forgotten = z.infer<typeof Forgotten>;
