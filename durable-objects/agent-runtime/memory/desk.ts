/** What is asked of an agent's memory from outside of its runs. */
import type { Forgotten } from "../../../core/memories/contract.ts";
import { refuse, type Refusal } from "../../../core/problem.ts";
import type {
  DocumentGiven,
  MemoryGiven,
  MemoryListing,
  MemoryQuestion,
  MemoryRows,
  MemoryRpc,
} from "../contract-memory.ts";
import type { Owner } from "../contract.ts";
import type { Incarnation } from "../incarnation.ts";
import type { LlmInstalled } from "../releases.ts";
import { AT_REST } from "../life.ts";
import { textOf } from "../text.ts";
import { findDocument, keepDocument, listDocuments, listPassages } from "./documents.ts";
import { embeddable, embedQuestion, embedTexts } from "./embedding.ts";
import { forget, type Target } from "./forget.ts";
import { findMemory, hasRoom, learn, listMemories } from "./items.ts";
import { searchPassages } from "./search.ts";

/** Longest time a provider of embeddings is waited for; what has no vector then gets it later. */
const EMBED_TIMEOUT_MS = 30_000;

type WithMemory = LlmInstalled & Required<Pick<LlmInstalled, "memory">>;
type Open = { readonly ok: true; readonly installed: WithMemory } | Refusal;

const NOTHING: Forgotten = { memories: 0, documents: 0, passages: 0, turns: 0, summaries: 0 };
const FULL = refuse("conflict", "the agent's memory is full: forget something first");
const MISSING = refuse("not_found", "no such memory");

export class MemoryDesk implements MemoryRpc {
  readonly #now: Incarnation;

  constructor(incarnation: Incarnation) {
    this.#now = incarnation;
  }

  async learn(owner: Owner, generation: number, item: MemoryGiven) {
    const open = await this.#open(owner, generation);
    if (!open.ok) return open;
    const { release, memory } = open.installed;
    const text = embeddable(item.subject ?? "", item.text);
    const [packed = null] = await this.#embed(open.installed, [text]);
    const { kernel } = this.#now;
    return kernel.sql.transaction(() => {
      if (!hasRoom(kernel.sql, 1)) return FULL;
      if (item.supersedes !== undefined && !findMemory(kernel.sql, item.supersedes)) {
        return refuse("invalid", "it supersedes nothing that is there", {
          errors: [{ pointer: "/supersedes", detail: "no such memory" }],
        });
      }
      const vector = { ref: memory.embedder.ref, packed };
      const confidence = Math.round(item.confidence * 1000);
      const learned = { ...item, confidence, vector };
      const id = learn(kernel.sql, release.tag, learned, kernel.now());
      const made = findMemory(kernel.sql, id);
      return made ? { ok: true as const, memory: made } : MISSING;
    });
  }

  async memory(owner: Owner, id: string) {
    const refused = await this.#refused(owner);
    if (refused) return refused;
    const memory = findMemory(this.#now.kernel.sql, id);
    return memory ? { ok: true as const, memory } : MISSING;
  }

  async memories(owner: Owner, { asOfMs, ...listing }: MemoryListing) {
    if (this.#nobodys) return rows([]);
    const refused = await this.#refused(owner);
    if (refused) return refused;
    const { sql, now } = this.#now.kernel;
    const { after, subject } = listing;
    return rows(listMemories(sql, { ...listing, after, subject, asOfMs: asOfMs ?? now() }));
  }

  async searchMemory(owner: Owner, generation: number, question: MemoryQuestion) {
    const open = await this.#open(owner, generation);
    if (!open.ok) return open;
    const { embedder } = open.installed.memory;
    const { sql, now } = this.#now.kernel;
    const asked = await this.#inTime((signal) =>
      embedQuestion(sql, embedder, question.query, { idempotencyKey: crypto.randomUUID(), signal }),
    );
    const asOfMs = question.asOfMs ?? now();
    const data = sql.transaction(() => {
      asked.record();
      const at = { asOfMs, validAtMs: question.validAtMs ?? asOfMs };
      return searchPassages(sql, { ...question, ...at, vector: asked.vector });
    });
    const embedding = { model: embedder.ref, lexical: embedder.lexical || !asked.vector };
    return { ok: true as const, found: { data: [...data], embedding } };
  }

  async forget(owner: Owner, target: Target) {
    if (this.#nobodys) return { ok: true as const, forgotten: NOTHING };
    const refused = await this.#refused(owner);
    if (refused) return refused;
    const { sql } = this.#now.kernel;
    return { ok: true as const, forgotten: sql.transaction(() => forget(sql, target)) };
  }

  async addDocument(owner: Owner, generation: number, given: DocumentGiven) {
    const open = await this.#open(owner, generation);
    if (!open.ok) return open;
    if (!hasRoom(this.#now.kernel.sql, given.passages.length)) return FULL;
    const { release, memory } = open.installed;
    const texts = given.passages.map(({ title, text }) => embeddable(title, text));
    const vectors = await this.#embed(open.installed, texts);
    const { sql, now } = this.#now.kernel;
    const embedding = { ref: memory.embedder.ref, vectors };
    const id = sql.transaction(() => keepDocument(sql, release.tag, given, embedding, now()));
    return this.document(owner, id);
  }

  async document(owner: Owner, id: string) {
    const refused = await this.#refused(owner);
    if (refused) return refused;
    const document = findDocument(this.#now.kernel.sql, id);
    return document ? { ok: true as const, document } : MISSING;
  }

  async documents(owner: Owner, { after = "", limit }: Parameters<MemoryRpc["documents"]>[1]) {
    if (this.#nobodys) return rows([]);
    const refused = await this.#refused(owner);
    return refused ?? rows(listDocuments(this.#now.kernel.sql, after, limit));
  }

  async passages(owner: Owner, id: string, { after, limit }: Parameters<MemoryRpc["passages"]>[2]) {
    const refused = await this.#refused(owner);
    if (refused) return refused;
    const { sql } = this.#now.kernel;
    return findDocument(sql, id) ? rows(listPassages(sql, id, after, limit)) : MISSING;
  }

  /** Nothing was ever installed here: there is nothing to know, which is no error. */
  get #nobodys(): boolean {
    return this.#now.ownership.owner === undefined;
  }

  async #refused(owner: Owner): Promise<Refusal | undefined> {
    if (this.#now.life.resting && !(await this.#now.life.awake(owner))) {
      return { ok: false, problem: AT_REST };
    }
    return this.#now.ownership.holds(owner) ? undefined : MISSING;
  }

  /** The release that is live, when it has a memory. */
  async #open(owner: Owner, generation: number): Promise<Open> {
    const refused = await this.#refused(owner);
    // An object that is nobody's yet pulls its release as its first invocation would.
    if (refused && refused.problem.code !== "not_found") return refused;
    const installed = this.#now.installed(owner, generation) ?? (await this.#now.pull(owner));
    if (!installed) return refuse("not_deployed", "no version of this agent is live here");
    if (installed.kind !== "llm" || installed.memory === undefined) {
      return refuse("conflict", "the live version of this agent has no memory");
    }
    return { ok: true, installed: { ...installed, memory: installed.memory } };
  }

  #embed({ memory }: WithMemory, texts: readonly string[]) {
    return this.#inTime((signal) =>
      embedTexts(memory.embedder, texts, { idempotencyKey: crypto.randomUUID(), signal }),
    );
  }

  async #inTime<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const stop = new AbortController();
    const done = this.#now.kernel.deadlines.after(EMBED_TIMEOUT_MS, () =>
      stop.abort(new EmbeddingTimeout()),
    );
    try {
      return await work(stop.signal);
    } finally {
      done();
    }
  }
}

class EmbeddingTimeout extends Error {
  override readonly name = "TimeoutError";
}

function rows(list: readonly unknown[]): MemoryRows {
  return { ok: true, body: textOf(JSON.stringify(list)) };
}
