/**
 * `remember` and `recall`, the tools that a memory brings. Both may be called again under the same
 * key: learning twice is one item, and recalling changes nothing.
 */
import type { MemorySpec, Recalled } from "../../../core/memories/contract.ts";
import type { Embedder } from "../../../core/models/embedder.ts";
import type { JsonSchema, Tool, ToolContext } from "../../../core/tools/contract.ts";
import { refusedArguments } from "../../../core/tools/refusal.ts";
import { checkArguments } from "../../../core/tools/schema.ts";
import type { Kernel } from "../kernel.ts";
import { embeddable, embedQuestion, embedTexts } from "./embedding.ts";
import { hasRoom, learn } from "./items.ts";
import { noteRecalled } from "./recall-step.ts";
import { searchPassages } from "./search.ts";

const text = (description: string, maxLength: number): JsonSchema => ({
  type: "string",
  description,
  minLength: 1,
  maxLength,
});

const REMEMBER: JsonSchema = {
  type: "object",
  properties: {
    text: text("One fact, in a sentence that can be understood by itself.", 2000),
    subject: text("Whom or what it is about, by a stable name.", 200),
    topic: text("What about them, such as `address`: a newer fact of the topic replaces it.", 200),
  },
  required: ["text"],
  additionalProperties: false,
};

const RECALL: JsonSchema = {
  type: "object",
  properties: {
    query: text("What to look for.", 2000),
    subject: text("Only what is about this subject.", 200),
    limit: { type: "integer", minimum: 1, maximum: 20 },
  },
  required: ["query"],
  additionalProperties: false,
};

/** The parts of a release that the tools work with. */
export type ToolMemory = {
  readonly spec: MemorySpec;
  readonly embedder: Embedder;
  readonly tag: string;
};

/** @param kernel  Asked at the call: the tools are made before the object is whole. */
export function memoryTools(kernel: () => Kernel, memory: ToolMemory): readonly Tool[] {
  return [
    {
      offer: {
        name: "remember",
        description: "Note down a fact for later conversations.",
        inputSchema: REMEMBER,
      },
      idempotent: true,
      call: (args, context) => remember(kernel(), memory, args, context),
    },
    {
      offer: {
        name: "recall",
        description: "Look something up in memory and documents.",
        inputSchema: RECALL,
      },
      idempotent: true,
      call: (args, context) => recall(kernel(), memory, args, context),
    },
  ];
}

type RememberArguments = {
  readonly text: string;
  readonly subject?: string;
  readonly topic?: string;
};

async function remember(kernel: Kernel, memory: ToolMemory, args: unknown, context: ToolContext) {
  const places = checkArguments(REMEMBER, args);
  if (places.length > 0) return refusedArguments(places);
  const { text: said, ...about } = args as RememberArguments; // checked just above
  if (!hasRoom(kernel.sql, 1)) return { content: "The memory is full.", isError: true };
  const speaker = speakingIn(kernel, context);
  const { embedder } = memory;
  const [packed = null] = await embedTexts(
    embedder,
    [embeddable(about.subject ?? "", said)],
    context,
  );
  const id = kernel.sql.transaction(() =>
    learn(
      kernel.sql,
      memory.tag,
      {
        text: said,
        ...about,
        author: speaker.principal,
        source: speaker,
        confidence: 1000,
        origin: context.idempotencyKey,
        vector: { ref: embedder.ref, packed },
        ...(memory.spec.shared ? {} : { readers: [speaker.principal] }),
      },
      kernel.now(),
    ),
  );
  return { content: JSON.stringify({ remembered: id }), isError: false };
}

type RecallArguments = {
  readonly query: string;
  readonly subject?: string;
  readonly limit?: number;
};

async function recall(kernel: Kernel, memory: ToolMemory, args: unknown, context: ToolContext) {
  const places = checkArguments(RECALL, args);
  if (places.length > 0) return refusedArguments(places);
  const { query, subject, limit = 10 } = args as RecallArguments; // checked just above
  const { invocationId, principal } = speakingIn(kernel, context);
  const asked = await embedQuestion(kernel.sql, memory.embedder, query, context);
  const found = kernel.sql.transaction(() => {
    asked.record();
    const nowMs = kernel.now();
    const passages = searchPassages(kernel.sql, {
      query,
      vector: asked.vector,
      limit,
      minSimilarity: memory.spec.recall.min_similarity,
      subject,
      reader: principal,
      asOfMs: nowMs,
      validAtMs: nowMs,
    });
    noteRecalled(kernel, invocationId, passages);
    return passages;
  });
  return { content: JSON.stringify(found.map(readable)), isError: false };
}

function readable({ id, title, text: said, subject, learned_at }: Recalled) {
  return { id, title: title === "" ? "Memory" : title, text: said, subject, learned_at };
}

/** The invocation whose tool is called stands at the head of the call's key. */
function speakingIn({ sql }: Kernel, { idempotencyKey }: ToolContext) {
  const [invocationId = ""] = idempotencyKey.split("/", 1);
  const row = sql.one<{ principal: string; session_id: string }>(
    "SELECT principal, session_id FROM invocation WHERE id = ?",
    invocationId,
  );
  if (!row) throw new Error("a tool is called by an invocation");
  return { invocationId, principal: row.principal, sessionId: row.session_id };
}
