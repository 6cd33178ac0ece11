/** Names of glyphs, as far as Latin text needs them. @source Adobe Glyph List */

/** The text a glyph stands for; undefined for a name that says nothing. */
export function glyph(name: string): string | undefined {
  if (name.length === 1) return name;
  const hex = /^(?:uni|u)([0-9A-F]{4,5})$/.exec(name)?.[1];
  if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16));
  const mark = Object.hasOwn(MARKS, name.slice(1)) ? MARKS[name.slice(1)] : undefined;
  if (mark !== undefined) return `${name.charAt(0)}${mark}`.normalize("NFC");
  return Object.hasOwn(GLYPHS, name) ? GLYPHS[name] : undefined;
}

const MARKS: Readonly<Record<string, string>> = {
  grave: "\u0300",
  acute: "\u0301",
  circumflex: "\u0302",
  tilde: "\u0303",
  dieresis: "\u0308",
  ring: "\u030a",
  cedilla: "\u0327",
  caron: "\u030c",
};
const GLYPHS: Readonly<Record<string, string>> = {
  space: " ",
  exclam: "!",
  quotedbl: '"',
  numbersign: "#",
  dollar: "$",
  percent: "%",
  ampersand: "&",
  quotesingle: "'",
  parenleft: "(",
  parenright: ")",
  asterisk: "*",
  plus: "+",
  comma: ",",
  hyphen: "-",
  minus: "−",
  period: ".",
  slash: "/",
  colon: ":",
  semicolon: ";",
  less: "<",
  equal: "=",
  greater: ">",
  question: "?",
  at: "@",
  bracketleft: "[",
  backslash: "\\",
  bracketright: "]",
  underscore: "_",
  quoteleft: "‘",
  quoteright: "’",
  quotedblleft: "“",
  quotedblright: "”",
  endash: "–",
  emdash: "—",
  bullet: "•",
  ellipsis: "…",
  germandbls: "ß",
  ae: "æ",
  oe: "œ",
  oslash: "ø",
  Euro: "€",
  section: "§",
  degree: "°",
  fi: "fi",
  fl: "fl",
  ff: "ff",
  ffi: "ffi",
  ffl: "ffl",
  zero: "0",
  one: "1",
  two: "2",
  three: "3",
  four: "4",
  five: "5",
  six: "6",
  seven: "7",
  eight: "8",
  nine: "9",
};
