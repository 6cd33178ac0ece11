/**
 * The syntax of PDF: what files and content streams are written in. Text is one character a byte.
 *
 * @source ISO 32000-1:2008, 7.2 and 7.3.
 */

export class Name {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}
export class Ref {
  readonly number: number;
  constructor(number: number) {
    this.number = number;
  }
}
/** A keyword: `obj`, `endobj`, or an operator of a content stream. */
export class Word {
  readonly word: string;
  constructor(word: string) {
    this.word = word;
  }
}
/** Bytes, one character each. */
export class Bytes {
  readonly bytes: string;
  constructor(bytes: string) {
    this.bytes = bytes;
  }
}
export type Dict = ReadonlyMap<string, Value>;
export type Value = number | boolean | null | Name | Ref | Word | Bytes | readonly Value[] | Dict;

const SPACE = /[\0\t\n\f\r ]/;
const DELIMITER = /[\0\t\n\f\r ()<>[\]{}/%]/;
const DEEPEST = 60;

/** Reads one value after the other from a place in a text; never throws, whatever stands there. */
export class Reader {
  readonly #text: string;
  at: number;

  constructor(text: string, at = 0) {
    this.#text = text;
    this.at = at;
  }

  /** The next value or keyword; undefined at the end. */
  next(depth = 0): Value | undefined {
    this.#skip();
    const c = this.#text.charAt(this.at);
    if (c === "") return undefined;
    if (c === "/") return this.#name();
    if (c === "(") return this.#literal();
    if (c === "[") return this.#array(depth);
    if (c === "<") {
      return this.#text.charAt(this.at + 1) === "<" ? this.#dict(depth) : this.#hex();
    }
    if (c === "]" || c === ">" || c === ")" || c === "{" || c === "}") {
      this.at += c === ">" && this.#text.charAt(this.at + 1) === ">" ? 2 : 1;
      return new Word(c);
    }
    return this.#numberOrWord();
  }

  #skip(): void {
    for (;;) {
      const c = this.#text.charAt(this.at);
      if (c === "%") {
        while (this.at < this.#text.length && !/[\n\r]/.test(this.#text.charAt(this.at))) {
          this.at += 1;
        }
      } else if (c !== "" && SPACE.test(c)) this.at += 1;
      else return;
    }
  }

  #token(): string {
    const start = this.at;
    while (this.at < this.#text.length && !DELIMITER.test(this.#text.charAt(this.at))) this.at += 1;
    return this.#text.slice(start, this.at);
  }

  #name(): Name {
    this.at += 1;
    return new Name(
      this.#token().replaceAll(/#([0-9a-fA-F]{2})/g, (_, hex: string) =>
        String.fromCharCode(Number.parseInt(hex, 16)),
      ),
    );
  }

  #numberOrWord(): Value {
    const token = this.#token();
    if (token === "") this.at += 1;
    if (!/^[+-]?(?:\d+\.?\d*|\.\d+)$/.test(token)) {
      if (token === "true" || token === "false") return token === "true";
      return token === "null" ? null : new Word(token);
    }
    const reference = /^\d+$/.test(token)
      ? /^[\0\t\n\f\r ]+\d{1,5}[\0\t\n\f\r ]+R(?![A-Za-z0-9])/.exec(
          this.#text.slice(this.at, this.at + 24),
        )
      : null;
    if (reference === null) return Number(token);
    this.at += reference[0].length;
    return new Ref(Number(token));
  }

  #array(depth: number): readonly Value[] {
    this.at += 1;
    const values: Value[] = [];
    for (;;) {
      const value = depth > DEEPEST ? undefined : this.next(depth + 1);
      if (value === undefined || (value instanceof Word && value.word === "]")) return values;
      values.push(value);
    }
  }

  #dict(depth: number): Dict {
    this.at += 2;
    const entries = new Map<string, Value>();
    for (;;) {
      const key = depth > DEEPEST ? undefined : this.next(depth + 1);
      if (key === undefined || (key instanceof Word && key.word === ">")) return entries;
      if (!(key instanceof Name)) continue;
      const value = this.next(depth + 1);
      if (value === undefined || (value instanceof Word && value.word === ">")) return entries;
      entries.set(key.name, value);
    }
  }

  #hex(): Bytes {
    const end = this.#text.indexOf(">", this.at);
    const stop = end === -1 ? this.#text.length : end;
    const digits = this.#text.slice(this.at + 1, stop).replaceAll(/[^0-9a-fA-F]/g, "");
    this.at = stop + 1;
    return new Bytes(bytesOfHex(digits));
  }

  #literal(): Bytes {
    const out: string[] = [];
    let open = 0;
    for (this.at += 1; this.at < this.#text.length; this.at += 1) {
      const c = this.#text.charAt(this.at);
      if (c === "\\") {
        this.at += 1;
        out.push(this.#escaped());
        continue;
      }
      if (c === ")" && open === 0) break;
      if (c === "(") open += 1;
      if (c === ")") open -= 1;
      out.push(c);
    }
    this.at += 1;
    return new Bytes(out.join(""));
  }

  /** What a backslash stands for with what is behind it; stays at the last character of it. */
  #escaped(): string {
    const octal = /^[0-7]{1,3}/.exec(this.#text.slice(this.at, this.at + 3))?.[0];
    if (octal !== undefined) {
      this.at += octal.length - 1;
      return String.fromCharCode(Number.parseInt(octal, 8) & 255);
    }
    const c = this.#text.charAt(this.at);
    if (c === "\r" && this.#text.charAt(this.at + 1) === "\n") this.at += 1;
    return ESCAPES[c] ?? c;
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  b: "\b",
  f: "\f",
  "\n": "",
  "\r": "",
};

export function bytesOfHex(digits: string): string {
  let out = "";
  for (let i = 0; i < digits.length; i += 2) {
    out += String.fromCharCode(Number.parseInt(digits.slice(i, i + 2).padEnd(2, "0"), 16));
  }
  return out;
}

/** The number that bytes are, the first the highest. */
export function numberOf(bytes: string): number {
  let sum = 0;
  for (const c of bytes) sum = sum * 256 + c.charCodeAt(0);
  return sum;
}
