/**
 * Words as the built-in responder compares them: case, accents and common endings aside.
 *
 * Scripts written without spaces are compared by pairs of characters. Endings are English; in other
 * languages words meet only in the form they are written in.
 */
const WORD = /[\p{L}\p{N}]+/gu;
const SPACELESS =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const LONGEST_WORD = 40;

/** Words that carry no subject, in questions above all. */
const STOP_WORDS = new Set(
  `a about all also am an and any anyone anything are as ask at be been being but by can could d did do
  does doing done don else for from get give go got had has have having hello hey hi how i if in into
  is it its just know let like ll m make may me mean means meaning might mine more my need of off ok okay on one or our
  ours out please re s say shall she he should so some something sure t tell than thank thanks that
  the their them then there these they thing this those to too us up use ve very want was we were what
  when where whether which who whom whose why will with would you your yours
  der die das den dem des ein eine einen und oder ist sind war wie wer wo wann warum ich du er sie es
  wir ihr mein meine dein deine im am zu zum zur mit von fur auf nicht kann bitte
  le la les un une des du de et ou est sont je tu il elle nous vous mon ma mes votre vos que qui quoi
  comment quand pour dans sur avec pas au aux
  el los las una unos y o es son como cuando donde quien mi mis su sus con por para en no se`.split(
    /\s+/,
  ),
);

/** The comparable words of a text in order, repeats included, stop words left out. */
export function terms(text: string): string[] {
  const out: string[] = [];
  for (const word of words(text)) {
    if (SPACELESS.test(word)) pairs(word, out);
    else if (!STOP_WORDS.has(word)) out.push(stem(word));
  }
  return out;
}

/** Lower-case words without accents, stop words included. */
export function words(text: string): readonly string[] {
  const plain = text
    .normalize("NFKD")
    .replace(/\p{M}+/gu, "")
    .normalize("NFC")
    .toLowerCase();
  return plain.match(WORD) ?? [];
}

function pairs(word: string, out: string[]): void {
  const characters = Array.from(word);
  if (characters.length === 1) out.push(word);
  for (let i = 0; i + 1 < characters.length; i += 1) {
    out.push(`${characters[i] ?? ""}${characters[i + 1] ?? ""}`);
  }
}

const ENDINGS: readonly (readonly [ending: string, shortest: number])[] = [
  ["ation", 5],
  ["ing", 3],
  ["ed", 3],
  ["ly", 4],
  ["ment", 5],
  ["y", 4],
  ["e", 3],
];

/** A light stem: `deliver`, `delivery`, `delivered` and `deliveries` meet; no dictionary. */
function stem(word: string): string {
  if (word.length > LONGEST_WORD) return word.slice(0, LONGEST_WORD);
  if (!/^[a-z]+$/.test(word)) return word;
  let root =
    word.endsWith("s") && !word.endsWith("ss") && !word.endsWith("us") ? plural(word) : word;
  for (const [ending, shortest] of ENDINGS) {
    if (!root.endsWith(ending) || root.length - ending.length < shortest) continue;
    root = root.slice(0, -ending.length);
    break;
  }
  if (root.length > 3 && root.endsWith("e")) root = root.slice(0, -1);
  return single(root);
}

function plural(word: string): string {
  if (word.length > 4 && word.endsWith("ies")) return `${word.slice(0, -3)}y`;
  if (word.length > 4 && /(?:ss|x|ch|sh|z)es$/.test(word)) return word.slice(0, -2);
  return word.length > 3 ? word.slice(0, -1) : word;
}

/** `shipp` → `ship`, `cancell` → `cancel`; the doubled letter is an artefact of the ending. */
function single(root: string): string {
  const last = root.at(-1);
  return root.length > 3 && last === root.at(-2) && last !== "s" ? root.slice(0, -1) : root;
}
