/**
 * Addresses of clients and the ranges a key may be held to, read in one canonical form.
 *
 * An IPv4 address mapped into IPv6 (`::ffff:192.0.2.1`) is the IPv4 address: which of the two a
 * proxy writes says nothing about the client. Numbers are decimal without leading zeros; zones,
 * ports and brackets are no part of an address.
 *
 * @source RFC 4291 §2.2 (text form), RFC 5952 (canonical form), RFC 4632 (CIDR)
 */

/** An address: its 32 or 128 bits and which of the two it is. */
type Address = { readonly version: 4 | 6; readonly bits: bigint };

type Range = Address & { readonly prefix: number };

const OCTET = /^(?:0|[1-9]\d{0,2})$/;
const GROUP = /^[0-9a-f]{1,4}$/i;
const PREFIX = /^(?:0|[1-9]\d{0,2})$/;
/** `::ffff:0:0/96`. */
const MAPPED = 0xffffn;

/**
 * A range as it is kept: `192.0.2.0/24`, `2001:db8::/32`, or a single address without a prefix.
 *
 * @returns  undefined for what is no range, and for one with bits beyond its prefix: whoever writes
 *           `192.0.2.7/24` means one or the other.
 */
export function canonicalRange(text: string): string | undefined {
  const range = parseRange(text);
  if (range === undefined) return undefined;
  const width = widthOf(range);
  if ((range.bits & ((1n << BigInt(width - range.prefix)) - 1n)) !== 0n) return undefined;
  const address = range.version === 4 ? text4(range.bits) : text6(range.bits);
  return range.prefix === width ? address : `${address}/${range.prefix}`;
}

/** Is the client inside one of the ranges? One whose address is unknown or unreadable is not. */
export function withinRanges(address: string | null, ranges: readonly string[]): boolean {
  const client = address === null ? undefined : parseAddress(address);
  if (client === undefined) return false;
  return ranges.some((text) => {
    const range = parseRange(text);
    if (range === undefined || range.version !== client.version) return false;
    const beyond = BigInt(widthOf(range) - range.prefix);
    return client.bits >> beyond === range.bits >> beyond;
  });
}

function widthOf({ version }: Address): number {
  return version === 4 ? 32 : 128;
}

function parseRange(text: string): Range | undefined {
  const [place = "", prefixText, ...rest] = text.split("/");
  const address = parseAddress(place);
  if (address === undefined || rest.length > 0) return undefined;
  const width = widthOf(address);
  if (prefixText === undefined) return { ...address, prefix: width };
  if (!PREFIX.test(prefixText)) return undefined;
  // A mapped address counts its prefix from the 128 bits it was written with.
  const offset = address.version === 4 && place.includes(":") ? 96 : 0;
  const prefix = Number(prefixText) - offset;
  return prefix < 0 || prefix > width ? undefined : { ...address, prefix };
}

function parseAddress(text: string): Address | undefined {
  const bits = text.includes(":") ? bits6(text) : bits4(text);
  if (bits === undefined) return undefined;
  if (!text.includes(":")) return { version: 4, bits };
  return bits >> 32n === MAPPED ? { version: 4, bits: bits & 0xffffffffn } : { version: 6, bits };
}

function bits4(text: string): bigint | undefined {
  const octets = text.split(".");
  if (octets.length !== 4) return undefined;
  let bits = 0n;
  for (const octet of octets) {
    if (!OCTET.test(octet) || Number(octet) > 255) return undefined;
    bits = (bits << 8n) | BigInt(octet);
  }
  return bits;
}

function bits6(text: string): bigint | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const parts = halves.map((half, index) =>
    groupsOf(half, index === halves.length - 1, halves.length === 2),
  );
  const [head, tail = []] = parts;
  if (head === undefined || parts.includes(undefined)) return undefined;
  const missing = 8 - head.length - tail.length;
  // `::` stands for at least one group; without it all eight are there.
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => 0), ...tail];
  return groups.reduce((bits, group) => (bits << 16n) | BigInt(group), 0n);
}

/** The 16-bit groups of one side of `::`; the last two may be written as an IPv4 address. */
function groupsOf(half: string, last: boolean, mayBeEmpty: boolean): number[] | undefined {
  if (half === "") return mayBeEmpty ? [] : undefined;
  const groups: number[] = [];
  const words = half.split(":");
  for (const [index, word] of words.entries()) {
    if (GROUP.test(word)) groups.push(Number.parseInt(word, 16));
    else {
      const bits = last && index === words.length - 1 ? bits4(word) : undefined;
      if (bits === undefined) return undefined;
      groups.push(Number(bits >> 16n), Number(bits & 0xffffn));
    }
  }
  return groups;
}

function text4(bits: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => String((bits >> shift) & 0xffn)).join(".");
}

/** The longest run of two or more zero groups, the first of equals, becomes `::`. */
function text6(bits: bigint): string {
  const groups = Array.from({ length: 8 }, (_, n) => (bits >> BigInt(112 - 16 * n)) & 0xffffn);
  let [start, length] = [-1, 1];
  for (let at = 0; at < 8; at += 1) {
    let end = at;
    while (end < 8 && groups[end] === 0n) end += 1;
    if (end - at > length) [start, length] = [at, end - at];
  }
  const words = groups.map((group) => group.toString(16));
  if (start < 0) return words.join(":");
  return `${words.slice(0, start).join(":")}::${words.slice(start + length).join(":")}`;
}
