/** Numbers and times as people read them. Pure: the clock and the locale come from outside. */

/** Integer micro-USD without trailing noise: 1250 → "$0.00125", 2500000 → "$2.50". */
export function costText(micros: number): string {
  if (micros === 0) return "$0";
  const fixed = (micros / 1_000_000).toFixed(6).replace(/0{1,4}$/, "");
  return `$${fixed}`;
}

/** Time between two RFC 3339 times: "840 ms", "1.24 s", "2 min 03 s"; "" when not over yet. */
export function tookText(start: string, end: string | null): string {
  if (end === null) return "";
  const ms = Math.max(0, Date.parse(end) - Date.parse(start));
  if (ms < 1000) return `${ms} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
}

const count = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

/** 999 → "999", 12345 → "12.3k": four places at most. */
export function countText(value: number): string {
  return value < 10_000 ? count.format(value) : `${count.format(value / 1000)}k`;
}

const time = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const minute = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long" });

/** The time alone today, the day with it before. */
export function whenText(at: string, nowMs: number): string {
  const date = new Date(at);
  if (date.toDateString() === new Date(nowMs).toDateString()) return time.format(date);
  return `${day.format(date)}, ${minute.format(date)}`;
}

export function fullTimeText(at: string): string {
  return full.format(new Date(at));
}

/** JSON indented for reading; text that is not JSON as it is. */
export function prettyText(value: unknown): string {
  if (typeof value !== "string") return JSON.stringify(value, null, 2);
  const json = /^\s*[[{]/.test(value);
  if (!json) return value;
  try {
    return JSON.stringify(JSON.parse(value), null, 2);
  } catch {
    return value;
  }
}
