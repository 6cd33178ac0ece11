import { sentencesOf, type Document, type Sentence } from "./extract-passages.ts";
import { terms } from "./extract-words.ts";

/** A quoted passage and how well it fits. */
export type Hit = {
  readonly document: Document;
  readonly quote: string;
  readonly score: number;
  /** Share of the question's words that the passage and its title hold. */
  readonly coverage: number;
};

/** Documents made ready to be searched. */
export type Library = {
  /**
   * The passages that fit best, best first; none when nothing fits well enough to be quoted.
   *
   * @param numeric  The question asks for an amount: sentences with a digit go first.
   */
  search(query: readonly string[], numeric: boolean): readonly Hit[];
};

// BM25 (Robertson and Zaragoza 2009, §3.2) at its usual settings.
const K1 = 1.2;
const B = 0.75;
/** A title names its whole text, but a sentence of its own words says more. */
const TITLE_WEIGHT = 0.6;
const PARAGRAPH_WEIGHT = 0.25;
const INSTRUCTIONS_WEIGHT = 0.6;
const NUMERIC_WEIGHT = 1.2;
/** Least share of the question's words that a passage and its title must hold. */
const LEAST_COVERAGE = 0.34;
/** A further passage must come this close to the best. */
const CLOSE = 0.65;
const MOST_PASSAGES = 3;
const MOST_TERMS = 64;
const SHORT_QUOTE = 90;
const LONG_QUOTE = 420;

type Entry = {
  readonly sentence: Sentence;
  readonly counts: ReadonlyMap<string, number>;
  readonly length: number;
};

/** Index the documents. Costs a pass over their text, so it is done once per release. */
export function createLibrary(documents: readonly Document[]): Library {
  const titles = documents.map((document) => new Set(terms(document.title)));
  const entries = sentencesOf(documents).map(entryOf);
  const totalLength = entries.reduce((sum, entry) => sum + entry.length, 0);
  const meanLength = Math.max(1, totalLength / Math.max(1, entries.length));
  const holders = new Map<string, number[]>();
  for (const [i, entry] of entries.entries()) {
    for (const term of entry.counts.keys()) {
      const known = holders.get(term);
      if (known) known.push(i);
      else holders.set(term, [i]);
    }
  }
  const rarity = (term: string): number => {
    const n = holders.get(term)?.length ?? 0;
    return Math.log(1 + (entries.length - n + 0.5) / (n + 0.5));
  };

  const score = (query: readonly string[], numeric: boolean): readonly Scored[] => {
    const direct = new Map<number, number>();
    const nearby = new Map<number, number>();
    for (const term of query) {
      for (const i of holders.get(term) ?? []) {
        const entry = entries[i];
        if (entry === undefined) continue;
        const count = entry.counts.get(term) ?? 0;
        const norm = count + K1 * (1 - B + (B * entry.length) / meanLength);
        const gain = (rarity(term) * count * (K1 + 1)) / norm;
        const { paragraph } = entry.sentence;
        direct.set(i, (direct.get(i) ?? 0) + gain);
        nearby.set(paragraph, (nearby.get(paragraph) ?? 0) + gain);
      }
    }
    const named = titles.map((title) => query.filter((term) => title.has(term)));
    const scored: Scored[] = [];
    for (const [at, { sentence, counts }] of entries.entries()) {
      const own = direct.get(at) ?? 0;
      const titled = named[sentence.document] ?? [];
      if (own === 0 && titled.length === 0) continue;
      const covered = query.filter((term) => counts.has(term) || titled.includes(term));
      const coverage = covered.length / query.length;
      if (coverage < LEAST_COVERAGE) continue;
      const base =
        own +
        TITLE_WEIGHT * titled.reduce((sum, term) => sum + rarity(term), 0) +
        PARAGRAPH_WEIGHT * (nearby.get(sentence.paragraph) ?? 0);
      const told = documents[sentence.document]?.origin === "instructions";
      const digits = numeric && /\p{N}/u.test(sentence.text);
      const weight = (told ? INSTRUCTIONS_WEIGHT : 1) * (digits ? NUMERIC_WEIGHT : 1);
      scored.push({ at, coverage, score: base * weight });
    }
    // Ties go to what was written first, so that the same question has the same answer.
    return scored.sort((a, b) => b.score - a.score || a.at - b.at);
  };

  return {
    search(query, numeric) {
      const unique = [...new Set(query)].slice(0, MOST_TERMS);
      return unique.length === 0 ? [] : pick(score(unique, numeric), entries, documents);
    },
  };
}

type Scored = { readonly at: number; readonly score: number; readonly coverage: number };

function entryOf(sentence: Sentence): Entry {
  const counts = new Map<string, number>();
  const found = terms(sentence.text);
  for (const term of found) counts.set(term, (counts.get(term) ?? 0) + 1);
  return { sentence, counts, length: found.length };
}

/** The best sentences, each with enough of what follows it to be read on its own. */
function pick(
  scored: readonly Scored[],
  entries: readonly Entry[],
  documents: readonly Document[],
): readonly Hit[] {
  const best = scored[0]?.score ?? 0;
  const hits: Hit[] = [];
  const used = new Set<number>();
  for (const { at, score, coverage } of scored) {
    if (hits.length === MOST_PASSAGES || score < CLOSE * best) break;
    const document = documents[entries[at]?.sentence.document ?? -1];
    if (document === undefined || used.has(at)) continue;
    const enough = document.origin === "knowledge" ? SHORT_QUOTE : 0;
    const quote = passageAt(at, entries, used, enough);
    if (hits.some((hit) => hit.quote === quote)) continue;
    hits.push({ document, quote, score, coverage });
  }
  return hits;
}

/** @param enough  A quote of this length needs nothing after it. */
function passageAt(
  at: number,
  entries: readonly Entry[],
  used: Set<number>,
  enough: number,
): string {
  const first = entries[at]?.sentence;
  let quote = first?.text ?? "";
  used.add(at);
  for (let next = at + 1; quote.length < enough; next += 1) {
    const sentence = entries[next]?.sentence;
    if (sentence === undefined || sentence.paragraph !== first?.paragraph || used.has(next)) break;
    if (quote.length + sentence.text.length > LONG_QUOTE) break;
    quote += ` ${sentence.text}`;
    used.add(next);
  }
  return quote;
}
