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
  readonly line: number;
  /** The heading it stands under, "" for none: looked at, never quoted. */
  readonly heading: string;
  readonly text: string;
};

const HEADING = /^#{1,6}[ \t]+(\S.{0,200})/;
const LONGEST_SENTENCE = 600;
const ABBREVIATION =
  /(?:^|[\s(])(?:[A-Za-z]|e\.g|i\.e|etc|approx|incl|vs|no|nr|mr|mrs|ms|dr|st)\.$/i;

/** The sentences of all documents, in order. */
export function sentencesOf(documents: readonly Document[]): readonly Sentence[] {
  const out: Sentence[] = [];
  let paragraph = 0;
  let number = 0;
  for (const [document, { text }] of documents.entries()) {
    let heading = "";
    for (const line of text.split("\n")) {
      number += 1;
      const marked = HEADING.exec(line)?.[1];
      if (marked !== undefined) heading = marked;
      else {
        for (const part of split(line)) {
          out.push({ document, paragraph, line: number, heading, text: part });
        }
      }
      if (marked !== undefined || line.trim() === "") paragraph += 1;
    }
    paragraph += 1;
  }
  return out;
}

/** Sentences of one line; a run-on without an end is cut at a space. */
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
  const tidy = text.replace(/^[\s\-*•#>|]+|[\s|]+$/g, "").replace(/\s+/g, " ");
  if (/[\p{L}\p{N}]/u.test(tidy)) out.push(tidy);
}
