/** /v1/knowledge — documents that agents answer from, and cite. They live in the agents' objects. */
import {
  CreateDocument,
  DocumentListQuery,
  KnowledgeDocument,
  MAX_UPLOAD_BYTES,
  Passage,
  PassageListQuery,
} from "../../core/knowledge/contract.ts";
import { readDocument } from "../../core/knowledge/read.ts";
import { Forgotten } from "../../core/memories/contract.ts";
import { decodeCursor } from "../../core/page.ts";
import { speakerId } from "../../core/principals/contract.ts";
import { sha256 } from "../edge/hash.ts";
import { replays } from "../edge/idempotency.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { recordAccess, recordAsking } from "./accesses.ts";
import { pageOfRows, placeOfMemory, readyPlace } from "./memory-places.ts";
import { ById, pageSchema } from "./parameters.ts";
import { found, homeOf } from "./runtime.ts";

export const knowledge = newRoutes()
  .post(
    "/",
    may("knowledge:write", "Give an agent a document"),
    replays(),
    takes("json", CreateDocument, { limitBytes: MAX_UPLOAD_BYTES }),
    answers(
      201,
      KnowledgeDocument,
      "The document, cut into passages; the agent may cite them now.",
    ),
    async (c) => {
      const { agent, environment, ...upload } = c.req.valid("json");
      const { runtime, owner, generation } = await readyPlace(c, { agent, environment });
      const { bytes, passages } = await readDocument(upload);
      const given = {
        title: upload.title,
        mediaType: upload.media_type,
        subject: upload.subject,
        author: speakerId(c.get("principal")),
        sizeBytes: bytes.byteLength,
        sha256: sha256(bytes),
        passages,
      };
      const { document } = await recordAsking(
        c,
        "agent.document_requested",
        owner.agentId,
        async () => found(await runtime.addDocument(owner, generation, given), "document"),
      );
      return c.json(document, 201, { location: `/v1/knowledge/${document.id}` });
    },
  )
  .get(
    "/",
    may("knowledge:read", "List an agent's documents"),
    takes("query", DocumentListQuery),
    answers(200, pageSchema(KnowledgeDocument), "Documents in the order they came."),
    async (c) => {
      const { cursor, limit, ...of } = c.req.valid("query");
      const { runtime, owner } = await placeOfMemory(c, of);
      const after = cursor === undefined ? undefined : decodeCursor(cursor);
      const { body } = found(
        await runtime.documents(owner, { after, limit: limit + 1 }),
        "document",
      );
      return c.json(await pageOfRows(KnowledgeDocument, body, limit, ({ id }) => id));
    },
  )
  .get(
    "/:id",
    may("knowledge:read", "Get a document"),
    takes("param", ById),
    answers(200, KnowledgeDocument, "The document, without its text."),
    async (c) => {
      const { id } = c.req.valid("param");
      const { runtime, owner } = await homeOf(c, id, "document");
      const { document } = found(await runtime.document(owner, id), "document");
      return c.json(document);
    },
  )
  .get(
    "/:id/passages",
    may("knowledge:read", "Read a document's passages"),
    takes("param", ById),
    takes("query", PassageListQuery),
    answers(200, pageSchema(Passage), "Passages in the order of the document."),
    async (c) => {
      const { id } = c.req.valid("param");
      const { cursor, limit } = c.req.valid("query");
      const { runtime, owner } = await homeOf(c, id, "document");
      const after = cursor === undefined ? -1 : Number(decodeCursor(cursor)) || 0;
      const { body } = found(
        await runtime.passages(owner, id, { after, limit: limit + 1 }),
        "document",
      );
      await recordAccess(c, { action: "document.read", kind: "document", id });
      return c.json(await pageOfRows(Passage, body, limit, ({ part }) => String(part)));
    },
  )
  .delete(
    "/:id",
    may("knowledge:write", "Take a document away"),
    takes("param", ById),
    answers(
      200,
      Forgotten,
      "What went: its passages, and what was said in turns that were told of it.",
    ),
    async (c) => {
      const { id } = c.req.valid("param");
      const { runtime, owner } = await homeOf(c, id, "document");
      found(await runtime.document(owner, id), "document");
      const { forgotten } = await recordAsking(c, "document.forget_requested", id, async () =>
        found(await runtime.forget(owner, { id }), "document"),
      );
      return c.json(forgotten);
    },
  );
