/** Where a sentence comes from, as a citation names it. */
type Origin = "knowledge" | "instructions" | "conversation";

/** Text that may be quoted. */
export type Document = {
  readonly origin: Origin;
  readonly title: string;
  readonly text: string;
};

/** One sentence and its place: neighbours in one paragraph have consecutive indices. */
export type Sentence = {
  readonly document: number;
  readonly paragraph: number;
  readonly text: string;
};

const LONGEST_SENTENCE = 600;
const ABBREVIATION =
  /(?:^|[\s(])(?:[A-Za-z]|e\.g|i\.e|etc|approx|incl|vs|no|nr|mr|mrs|ms|dr|st)\.$/i;

/** The sentences of all documents, in order. */
export function sentencesOf(documents: readonly Document[]): readonly Sentence[] {
  const out: Sentence[] = [];
  let paragraph = 0;
  for (const [document, { text }] of documents.entries()) {
    for (const block of text.split(/\n+/)) {
      for (const sentence of split(block)) out.push({ document, paragraph, text: sentence });
      paragraph += 1;
    }
  }
  return out;
}

/** Sentences of one paragraph; a run-on without an end is cut at a space. */
function split(block: string): readonly string[] {
  const out: string[] = [];
  let start = 0;
  for (let i = 0; i < block.length; i += 1) {
    const long = i - start >= LONGEST_SENTENCE && block.charAt(i) === " ";
    if (!long && i - start < 2 * LONGEST_SENTENCE && !endsSentence(block, start, i)) continue;
    push(out, block.slice(start, i + 1));
    start = i + 1;
  }
  push(out, block.slice(start));
  return out;
}

function endsSentence(block: string, start: number, i: number): boolean {
  const character = block.charAt(i);
  if ("。！？".includes(character)) return true;
  if (!".!?".includes(character)) return false;
  const next = /^["”’')\]]*\s+(\S)/.exec(block.slice(i + 1, i + 12))?.[1];
  if (next === undefined || /\p{Ll}/u.test(next)) return false;
  return character !== "." || !ABBREVIATION.test(block.slice(Math.max(start, i - 8), i + 1));
}

function push(out: string[], text: string): void {
  const tidy = text.replace(/^[\s\-*•#>]+|\s+$/g, "").replace(/\s+/g, " ");
  if (/[\p{L}\p{N}]/u.test(tidy)) out.push(tidy);
}
