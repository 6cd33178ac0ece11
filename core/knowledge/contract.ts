/** Documents an agent answers from: uploaded, cut into passages, quoted with their place. */
import { z } from "zod";
import { IdOrSlug, Slug } from "../names.ts";
import { PageQuery } from "../page.ts";

export const MEDIA_TYPES = ["text/plain", "text/markdown", "text/html", "application/pdf"] as const;

/** Largest file, in bytes, and longest text in it, in UTF-16 units. */
export const MAX_DOCUMENT_BYTES = 8 * 1024 * 1024;
export const MAX_DOCUMENT_UNITS = 2_000_000;
/** Of a request with it: base64 and its wrapping. */
export const MAX_UPLOAD_BYTES = Math.ceil(MAX_DOCUMENT_BYTES / 3) * 4 + 64 * 1024;

const Of = { agent: IdOrSlug, environment: Slug.default("prod") };
const Title = z
  .string()
  .min(1)
  .max(200)
  .refine((text) => text.isWellFormed() && text.trim() !== "", "expected text");

export const CreateDocument = z
  .strictObject({
    ...Of,
    title: Title,
    media_type: z.enum(MEDIA_TYPES).default("text/plain"),
    /** The document itself, when it is text. */
    text: z.string().min(1).max(MAX_DOCUMENT_UNITS).optional(),
    /** The file in base64: a PDF, or text in UTF-8. */
    content: z
      .base64()
      .min(1)
      .max(Math.ceil(MAX_DOCUMENT_BYTES / 3) * 4)
      .optional(),
    /** Whom or what it is about: what is forgotten together. */
    subject: z.string().min(1).max(200).optional(),
  })
  .refine(({ text, content }) => (text === undefined) !== (content === undefined), {
    message: "expected either text or content",
    path: ["content"],
  })
  .refine(({ media_type: type, text }) => type !== "application/pdf" || text === undefined, {
    message: "a PDF comes as content",
    path: ["text"],
  });
export type CreateDocument = z.infer<typeof CreateDocument>;

export const KnowledgeDocument = z.object({
  id: z.string(),
  title: z.string(),
  media_type: z.enum(MEDIA_TYPES),
  subject: z.string().nullable(),
  author: z.string(),
  size_bytes: z.number(),
  /** Of what was uploaded, in base64url. */
  sha256: z.string(),
  passages: z.number(),
  created_at: z.string(),
  /** How many of its passages have a vector, and by what; the others are found by their words. */
  embedding: z.object({ model: z.string().nullable(), passages: z.number() }),
});
export type KnowledgeDocument = z.infer<typeof KnowledgeDocument>;

export const Passage = z.object({
  part: z.number(),
  /** What a citation names: the document, and where in it. */
  title: z.string(),
  text: z.string(),
});
export type Passage = z.infer<typeof Passage>;

export const DocumentListQuery = PageQuery.extend(Of);
export type DocumentListQuery = z.infer<typeof DocumentListQuery>;

export const PassageListQuery = PageQuery;
