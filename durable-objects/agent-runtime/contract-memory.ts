import type { KnowledgeDocument } from "../../core/knowledge/contract.ts";
import type { Forgotten, Memory, MemoryFound } from "../../core/memories/contract.ts";
import type { Refusal } from "../../core/problem.ts";
import type { Owner } from "./contract.ts";
import type { Text } from "./text.ts";

/** An item as it comes from the edge: checked, its times in epoch ms. */
export type MemoryGiven = {
  readonly text: string;
  readonly subject?: string | undefined;
  readonly topic?: string | undefined;
  readonly author: string;
  readonly confidence: number;
  readonly supersedes?: string | undefined;
  readonly readers?: readonly string[] | undefined;
  readonly fromMs?: number | undefined;
  readonly untilMs?: number | undefined;
};

export type MemoryListing = {
  readonly after?: string | undefined;
  readonly limit: number;
  readonly subject?: string | undefined;
  readonly asOfMs?: number | undefined;
  readonly superseded: boolean;
};

export type MemoryQuestion = {
  readonly query: string;
  readonly limit: number;
  readonly minSimilarity: number;
  readonly subject?: string | undefined;
  readonly reader?: string | undefined;
  readonly asOfMs?: number | undefined;
  readonly validAtMs?: number | undefined;
};

/** A document, its text already out of its file and cut. */
export type DocumentGiven = {
  readonly title: string;
  readonly mediaType: KnowledgeDocument["media_type"];
  readonly subject?: string | undefined;
  readonly author: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly passages: readonly { readonly title: string; readonly text: string }[];
};

/** `body`: a list, as JSON, of one more than was asked for when there are more. */
export type MemoryRows = { readonly ok: true; readonly body: Text };

/** What an agent's object answers about its memory. */
export type MemoryRpc = {
  /** Learn one item. `generation`: what the edge believes live. */
  learn(
    owner: Owner,
    generation: number,
    item: MemoryGiven,
  ): Promise<{ readonly ok: true; readonly memory: Memory } | Refusal>;
  memory(
    owner: Owner,
    id: string,
  ): Promise<{ readonly ok: true; readonly memory: Memory } | Refusal>;
  memories(owner: Owner, listing: MemoryListing): Promise<MemoryRows | Refusal>;
  searchMemory(
    owner: Owner,
    generation: number,
    question: MemoryQuestion,
  ): Promise<{ readonly ok: true; readonly found: MemoryFound } | Refusal>;
  /** What is forgotten is gone from every row; again it is no error. */
  forget(
    owner: Owner,
    what: { readonly subject: string } | { readonly id: string },
  ): Promise<{ readonly ok: true; readonly forgotten: Forgotten } | Refusal>;
  addDocument(
    owner: Owner,
    generation: number,
    document: DocumentGiven,
  ): Promise<{ readonly ok: true; readonly document: KnowledgeDocument } | Refusal>;
  document(
    owner: Owner,
    id: string,
  ): Promise<{ readonly ok: true; readonly document: KnowledgeDocument } | Refusal>;
  documents(
    owner: Owner,
    listing: { readonly after?: string | undefined; readonly limit: number },
  ): Promise<MemoryRows | Refusal>;
  /** Parts of a document after one. */
  passages(
    owner: Owner,
    id: string,
    listing: { readonly after: number; readonly limit: number },
  ): Promise<MemoryRows | Refusal>;
};
