/**
 * A document cut into passages that can be found and quoted by themselves.
 *
 * Text is read as Markdown: a passage stays under one heading, holds whole paragraphs as far as they
 * fit, and is named by the headings above it. A paragraph that is too long is cut at the end of a
 * sentence, else at a space. Every character of the text is in one passage.
 */

/** About as long as what a model can use at once, and short enough to be quoted. */
const WANTED_UNITS = 1200;
const MOST_UNITS = 2000;
/** Passages of one document. */
export const MOST_PASSAGES = 4000;
const MOST_HEADING = 120;

export type Cut = {
  /** The headings above it, outermost first: "Returns › Abroad"; "" when there are none. */
  readonly place: string;
  readonly text: string;
};

/** @param text  Plain text or Markdown. At most `MOST_PASSAGES` are made; what is over is left out. */
export function cutPassages(text: string): readonly Cut[] {
  const out: Cut[] = [];
  for (const { place, text: section } of sections(text)) {
    let held = "";
    const flush = (): void => {
      if (held !== "") out.push({ place, text: held });
      held = "";
    };
    for (const paragraph of section.split(/\n[ \t]*\n/)) {
      for (const piece of pieces(paragraph.trim())) {
        if (held !== "" && held.length + piece.length > WANTED_UNITS) flush();
        held = held === "" ? piece : `${held}\n\n${piece}`;
      }
    }
    flush();
    if (out.length >= MOST_PASSAGES) break;
  }
  return out.slice(0, MOST_PASSAGES);
}

const HEADING = /^(#{1,6})[ \t]+(\S.*?)[ \t#]*$/;
const FENCE = /^[ \t]{0,3}(```|~~~)/;

/** The text between two headings, each with those above it. */
function sections(text: string): readonly Cut[] {
  const out: Cut[] = [];
  const above: string[] = [];
  let lines: string[] = [];
  let fence: string | undefined;
  const end = (): void => {
    const body = lines.join("\n").trim();
    if (body !== "") out.push({ place: above.filter((it) => it !== "").join(" › "), text: body });
    lines = [];
  };
  for (const line of text.replaceAll(/\r\n?/g, "\n").split("\n")) {
    const mark = FENCE.exec(line)?.[1];
    if (mark !== undefined && (fence === undefined || fence === mark)) {
      fence = fence === undefined ? mark : undefined;
    }
    const heading = fence === undefined && line.length <= 500 ? HEADING.exec(line) : null;
    if (heading === null) {
      lines.push(line);
      continue;
    }
    end();
    const [, marks = "#", title = ""] = heading;
    above.length = Math.min(above.length, marks.length - 1);
    while (above.length < marks.length - 1) above.push("");
    above.push(title.slice(0, MOST_HEADING).toWellFormed());
  }
  end();
  return out;
}

function* pieces(paragraph: string): Generator<string> {
  let rest = paragraph;
  while (rest.length > MOST_UNITS) {
    const at = cutAt(rest);
    yield rest.slice(0, at).trim();
    rest = rest.slice(at).trim();
  }
  if (rest !== "") yield rest;
}

/** Behind the last sentence that ends within what is wanted; else at a space; else anywhere. */
function cutAt(text: string): number {
  const head = text.slice(0, MOST_UNITS);
  for (let i = Math.min(WANTED_UNITS, head.length - 1); i > WANTED_UNITS / 2; i -= 1) {
    if (/[.!?。！？\n]/.test(head.charAt(i - 1)) && /[\s。！？]|^$/.test(head.charAt(i))) return i;
  }
  const space = head.lastIndexOf(" ", WANTED_UNITS);
  if (space > WANTED_UNITS / 2) return space;
  const low = text.charCodeAt(WANTED_UNITS);
  return low >= 0xdc00 && low <= 0xdfff ? WANTED_UNITS - 1 : WANTED_UNITS;
}
