/** A question as the full-text index is asked. */

const WORD = /[\p{L}\p{N}]+/gu;
const MOST_WORDS = 32;
/** Words that stand in every text, so that what is found by them says nothing. */
const EMPTY = new Set(
  `a about all am an and any are as at be by can could did do does for from give go had has have how i
  if in is it its me my no not of on or our please she he so tell than that the their them then there
  these they this to us was we were what when where which who whom whose why will with would you your
  der die das den dem des ein eine einen und oder ist sind war wie wer wo wann warum ich du er sie es
  wir mein dein im am zu zum zur mit von auf nicht`.split(/\s+/),
);

/** The words of a question that say something, in lower case, each once. */
export function wordsOf(text: string): readonly string[] {
  const words = text.toLowerCase().match(WORD) ?? [];
  const full = words.filter((word) => !EMPTY.has(word) && /^(?![a-z]$).{1,60}$/u.test(word));
  return [...new Set(full)].slice(0, MOST_WORDS);
}

/**
 * An FTS5 expression that any of the words satisfies; undefined when there are none. Each word is a
 * quoted string: nothing a caller writes is an operator.
 */
export function matchOf(words: readonly string[]): string | undefined {
  return words.length === 0 ? undefined : words.map((word) => `"${word}"`).join(" OR ");
}

/** Those of the words that a passage holds, at least at the beginning of one of its own. */
export function wordsIn(words: readonly string[], text: string): readonly string[] {
  const own = text.toLowerCase().match(WORD) ?? [];
  return words.filter((word) => own.some((it) => alike(it, word)));
}

function alike(a: string, b: string): boolean {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a];
  return short === long || (short.length >= 4 && long.startsWith(short));
}
