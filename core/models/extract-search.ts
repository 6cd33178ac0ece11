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
  /** Words of its title and heading; one set for all sentences under them. */
  readonly names: ReadonlySet<string>;
  readonly counts: ReadonlyMap<string, number>;
  readonly length: number;
};

/** Index the documents. Costs a pass over their text, so it is done once per release. */
export function createLibrary(documents: readonly Document[]): Library {
  const names = namesUnder(documents);
  const entries = sentencesOf(documents).map((sentence) => entryOf(sentence, names(sentence)));
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
    const named = new Map<ReadonlySet<string>, readonly string[]>();
    const scored: Scored[] = [];
    for (const [at, { sentence, counts, names: above }] of entries.entries()) {
      const own = direct.get(at) ?? 0;
      const titled = named.get(above) ?? query.filter((term) => above.has(term));
      named.set(above, titled);
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

function namesUnder(documents: readonly Document[]): (sentence: Sentence) => ReadonlySet<string> {
  const known = new Map<string, ReadonlySet<string>>();
  return ({ document, heading }) => {
    const key = `${document} ${heading}`;
    const names = known.get(key) ?? new Set(terms(`${documents[document]?.title} ${heading}`));
    known.set(key, names);
    return names;
  };
}

function entryOf(sentence: Sentence, names: ReadonlySet<string>): Entry {
  const counts = new Map<string, number>();
  const found = terms(sentence.text);
  for (const term of found) counts.set(term, (counts.get(term) ?? 0) + 1);
  return { sentence, names, counts, length: found.length };
}

/** The best sentences, each with enough of what follows it to be read on its own. */
function pick(
  scored: readonly Scored[],
  entries: readonly Entry[],
  documents: readonly Document[],
): readonly Hit[] {
  const best = scored[0]?.score ?? 0;
  const spans: Span[] = [];
  const used = new Set<number>();
  for (const { at, score, coverage } of scored) {
    if (spans.length === MOST_PASSAGES || score < CLOSE * best) break;
    const document = documents[entries[at]?.sentence.document ?? -1];
    if (document === undefined || used.has(at)) continue;
    const enough = document.origin === "knowledge" ? SHORT_QUOTE : 0;
    const end = spanFrom(at, entries, used, enough);
    spans.push({ at, end, document, score, coverage });
  }
  const quotes = inReadingOrder(spans, entries).map((span) => ({
    document: span.document,
    quote: textOf(span, entries),
    score: span.score,
    coverage: span.coverage,
  }));
  return quotes.filter(({ quote }, i) => quotes.findIndex((hit) => hit.quote === quote) === i);
}

/** Sentences `at` up to before `end`. */
type Span = {
  readonly at: number;
  readonly end: number;
  readonly document: Document;
  readonly score: number;
  readonly coverage: number;
};

/** Best document first, its passages as they stand in it; neighbours become one. */
function inReadingOrder(spans: readonly Span[], entries: readonly Entry[]): readonly Span[] {
  const order = [...new Set(spans.map((span) => span.document))];
  const sorted = spans.toSorted(
    (a, b) => order.indexOf(a.document) - order.indexOf(b.document) || a.at - b.at,
  );
  const out: Span[] = [];
  for (const span of sorted) {
    const before = out.at(-1);
    const near = before?.end === span.at && sameParagraph(entries, before.at, span.at);
    if (before === undefined || !near) out.push(span);
    else out.splice(-1, 1, { ...before, end: span.end, score: Math.max(before.score, span.score) });
  }
  return out;
}

/** @param enough  A quote of this length needs nothing after it. */
function spanFrom(
  at: number,
  entries: readonly Entry[],
  used: Set<number>,
  enough: number,
): number {
  let length = entries[at]?.sentence.text.length ?? 0;
  let end = at + 1;
  used.add(at);
  while (length < enough && !used.has(end) && sameParagraph(entries, at, end)) {
    length += entries[end]?.sentence.text.length ?? 0;
    if (length > LONG_QUOTE) break;
    used.add(end);
    end += 1;
  }
  return end;
}

function sameParagraph(entries: readonly Entry[], a: number, b: number): boolean {
  return entries[a]?.sentence.paragraph === entries[b]?.sentence.paragraph;
}

function textOf({ at, end }: Span, entries: readonly Entry[]): string {
  let text = "";
  let line = entries[at]?.sentence.line;
  for (const { sentence } of entries.slice(at, end)) {
    if (text !== "") text += sentence.line === line ? " " : "\n";
    text += sentence.text;
    line = sentence.line;
  }
  return text;
}
