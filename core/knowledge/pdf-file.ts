/**
 * The objects of a PDF file. They are found by looking for them and not by the file's own tables,
 * which broken writers get wrong: of objects under one number the last one counts, as it must after
 * an incremental update.
 *
 * @source ISO 32000-1:2008, 7.4 (filters), 7.5.7 (object streams).
 */
import { bytesOfHex, Name, Reader, Ref, type Dict, type Value } from "./pdf-syntax.ts";

/** A file that cannot be read; the message says why, without quoting it. */
export class BrokenPdf extends Error {
  override readonly name = "BrokenPdf";
}

/** All that is unpacked of one file, in bytes: a few kilobytes can be made to stand for gigabytes. */
const MOST_UNPACKED = 24 * 1024 * 1024;
const MOST_OBJECTS = 200_000;
/**
 * All that is read of one file, in characters, and the same again as often as it is named: pages may
 * share a stream, a form may draw itself, a font may say everything a thousand times.
 */
const MOST_READ = 32 * 1024 * 1024;

const STREAM = /[\0\t\n\f\r ]*stream(?![A-Za-z])/y;

type Stream = { readonly dict: Dict; readonly raw: string };

export class PdfFile {
  readonly #objects = new Map<number, Value>();
  readonly #streams = new Map<number, Stream>();
  #left = MOST_UNPACKED;
  #unread = MOST_READ;

  /** @throws BrokenPdf */
  static async open(bytes: Uint8Array): Promise<PdfFile> {
    const text = oneByteText(bytes);
    if (!text.slice(0, 1024).includes("%PDF-")) throw new BrokenPdf("is no PDF");
    if (/\/Encrypt[\0\t\n\f\r ]+(?:\d+[\0\t\n\f\r ]+\d+[\0\t\n\f\r ]+R|<<)/.test(text)) {
      throw new BrokenPdf("is encrypted");
    }
    const file = new PdfFile();
    file.#scan(text);
    await file.#unpackObjects();
    return file;
  }

  /** Account for so much that is read once more. @throws BrokenPdf  of what takes too long */
  spend(units: number): void {
    this.#unread -= units;
    if (this.#unread < 0) throw new BrokenPdf("is too laborious to read");
  }

  /** Objects in the order of their numbers. */
  *dicts(): Generator<Dict> {
    for (const number of [...this.#objects.keys()].toSorted((a, b) => a - b)) {
      const dict = this.dict(new Ref(number));
      if (dict) yield dict;
    }
  }

  /** What a value stands for, references followed. */
  resolve(value: Value | undefined): Value | undefined {
    let found = value;
    for (let i = 0; found instanceof Ref && i < 20; i += 1) found = this.#objects.get(found.number);
    return found instanceof Ref ? undefined : found;
  }

  dict(value: Value | undefined): Dict | undefined {
    const found = this.resolve(value);
    return found instanceof Map ? (found as Dict) : undefined;
  }

  list(value: Value | undefined): readonly Value[] {
    const found = this.resolve(value);
    return Array.isArray(found) ? (found as readonly Value[]) : [];
  }

  nameOf(value: Value | undefined): string | undefined {
    const found = this.resolve(value);
    return found instanceof Name ? found.name : undefined;
  }

  /** The bytes of a stream, unpacked; undefined for none, and for pictures. @throws BrokenPdf */
  async data(value: Value | undefined): Promise<string | undefined> {
    const stream = value instanceof Ref ? this.#streams.get(value.number) : undefined;
    if (stream === undefined) return undefined;
    const filter = this.resolve(stream.dict.get("Filter"));
    const filters = filter instanceof Name ? [filter] : this.list(filter);
    let data: string | undefined = stream.raw;
    for (const it of filters) {
      if (data !== undefined) this.spend(data.length);
      data = data === undefined ? undefined : await this.#unfilter(this.nameOf(it), data);
    }
    this.spend((data?.length ?? 0) + 1);
    return data;
  }

  #scan(text: string): void {
    const head = /(\d{1,9})[\0\t\n\f\r ]+\d{1,5}[\0\t\n\f\r ]+obj(?![A-Za-z])/g;
    for (let found = head.exec(text); found !== null; found = head.exec(text)) {
      if (this.#objects.size >= MOST_OBJECTS) throw new BrokenPdf("has too many objects");
      const reader = new Reader(text, head.lastIndex);
      const value = reader.next();
      if (value === undefined) return;
      const number = Number(found[1]);
      this.#objects.set(number, value);
      this.#streams.delete(number);
      head.lastIndex = Math.max(head.lastIndex, reader.at);
      if (!(value instanceof Map)) continue;
      // Looked for and not read: what stands there may be as long as the file.
      STREAM.lastIndex = reader.at;
      if (!STREAM.test(text)) continue;
      const { start, end } = this.#extent(text, STREAM.lastIndex, value as Dict);
      this.#streams.set(number, { dict: value as Dict, raw: text.slice(start, end) });
      head.lastIndex = end;
    }
  }

  /** Where a stream's bytes are: as long as it says when `endstream` follows there, else up to it. */
  #extent(text: string, at: number, dict: Dict) {
    const start = text.startsWith("\r\n", at) ? at + 2 : at + 1;
    const length = dict.get("Length");
    if (
      typeof length === "number" &&
      text.slice(start + length, start + length + 12).includes("endst")
    ) {
      return { start, end: start + length };
    }
    const end = text.indexOf("endstream", start);
    return { start, end: end === -1 ? text.length : end };
  }

  async #unpackObjects(): Promise<void> {
    for (const [number, { dict }] of this.#streams) {
      if (this.nameOf(dict.get("Type")) !== "ObjStm") continue;
      const data = await this.data(new Ref(number));
      if (data === undefined) continue;
      const first = dict.get("First");
      const count = dict.get("N");
      if (typeof first !== "number" || typeof count !== "number") continue;
      const heads = new Reader(data);
      for (let i = 0; i < Math.min(count, MOST_OBJECTS); i += 1) {
        const id = heads.next();
        const offset = heads.next();
        if (typeof id !== "number" || typeof offset !== "number") break;
        if (this.#objects.has(id)) continue;
        const reader = new Reader(data, first + offset);
        const value = reader.next();
        this.spend(Math.max(0, reader.at - first - offset));
        if (value !== undefined) this.#objects.set(id, value);
      }
    }
  }

  async #unfilter(name: string | undefined, data: string): Promise<string | undefined> {
    if (name === "FlateDecode" || name === "Fl") return this.#inflate(data);
    if (name === "ASCIIHexDecode" || name === "AHx") {
      return bytesOfHex(data.replace(/>[^]*$/, "").replaceAll(/[^0-9a-fA-F]/g, ""));
    }
    return name === "ASCII85Decode" || name === "A85" ? bytesOf85(data) : undefined;
  }

  /** What can be unpacked of it: files that were cut off still hold text. */
  async #inflate(data: string): Promise<string> {
    const source = new Response(Uint8Array.from(data, (c) => c.charCodeAt(0))).body;
    if (source === null) return "";
    const reader = source.pipeThrough(new DecompressionStream("deflate")).getReader();
    const parts: string[] = [];
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        this.#left -= value.byteLength;
        if (this.#left < 0) throw new BrokenPdf("unpacks to too much");
        parts.push(oneByteText(value));
      }
    } catch (error) {
      if (error instanceof BrokenPdf) throw error;
    } finally {
      await reader.cancel().catch(() => undefined);
    }
    return parts.join("");
  }
}

/** Of ASCII85, in which one character may stand for four bytes. */
const MOST_DIGITS = 10_000_000;

function bytesOf85(data: string): string {
  const digits = data
    .replace(/~>[^]*$/, "")
    .replaceAll(/[^!-uz]/g, "")
    .replaceAll("z", "!!!!!");
  if (digits.length > MOST_DIGITS) throw new BrokenPdf("unpacks to too much");
  const out = new Uint8Array(digits.length);
  let length = 0;
  for (let i = 0; i < digits.length; i += 5) {
    const group = digits.slice(i, i + 5);
    let sum = 0;
    for (const c of group.padEnd(5, "u")) sum = sum * 85 + (c.charCodeAt(0) - 33);
    const bytes = [sum / 2 ** 24, sum / 2 ** 16, sum / 2 ** 8, sum].map(
      (it) => Math.floor(it) & 255,
    );
    out.set(bytes.slice(0, group.length - 1), length);
    length += group.length - 1;
  }
  return oneByteText(out.subarray(0, length));
}

function oneByteText(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += 8192) {
    parts.push(String.fromCharCode(...bytes.subarray(at, at + 8192)));
  }
  return parts.join("");
}
