/**
 * Cron expressions: minute, hour, day of month, month, day of week.
 *
 * Lists, ranges, steps and English names; `0` and `7` are Sunday. Where both days are restricted a
 * day counts when either fits, as in every cron since Vixie's. @source crontab(5)
 */
export type Cron = {
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  readonly daysOfMonth: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  readonly daysOfWeek: ReadonlySet<number>;
  /** Either day fits, because both are restricted. */
  readonly eitherDay: boolean;
  /** The hour is `*` or `*` by steps: an interval, which counts hours that pass. */
  readonly elapsing: boolean;
};

const MACROS: Readonly<Record<string, string>> = {
  "@hourly": "0 * * * *",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@weekly": "0 0 * * 0",
  "@monthly": "0 0 1 * *",
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
};

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

type Field = {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
};

const FIELDS: readonly Field[] = [
  { name: "minute", min: 0, max: 59 },
  { name: "hour", min: 0, max: 23 },
  { name: "day of month", min: 1, max: 31 },
  { name: "month", min: 1, max: 12, names: MONTHS },
  { name: "day of week", min: 0, max: 7, names: DAYS },
];

/** The expression, or what is wrong with it in words. */
export function parseCron(text: string): Cron | string {
  const parts = (MACROS[text.trim().toLowerCase()] ?? text).trim().split(/\s+/);
  if (parts.length !== FIELDS.length) return "expected five fields: minute hour day month weekday";
  const sets: (readonly number[])[] = [];
  for (const [i, field] of FIELDS.entries()) {
    const values = parseField(parts[i] ?? "", field);
    if (typeof values === "string") return values;
    sets.push(values);
  }
  const [minutes = [], hours = [], days = [], months = [], weekdays = []] = sets;
  const [, hour = "", day = "", , weekday = ""] = parts;
  const cron = {
    minutes,
    hours,
    daysOfMonth: new Set(days),
    months: new Set(months),
    daysOfWeek: new Set(weekdays.map((it) => it % 7)),
    eitherDay: !day.startsWith("*") && !weekday.startsWith("*"),
    elapsing: hour.startsWith("*"),
  };
  return everComes(cron) ? cron : "no such day ever comes";
}

/** Does the rule name this day? `month` from 1; `weekday` 0 is Sunday. */
export function namesDay(cron: Cron, month: number, day: number, weekday: number): boolean {
  if (!cron.months.has(month)) return false;
  const ofMonth = cron.daysOfMonth.has(day);
  const ofWeek = cron.daysOfWeek.has(weekday);
  return cron.eitherDay ? ofMonth || ofWeek : ofMonth && ofWeek;
}

const LONGEST_MONTH = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** The 31st of April does not. */
function everComes({ months, daysOfMonth, eitherDay }: Cron): boolean {
  if (eitherDay) return true;
  return [...months].some((month) =>
    [...daysOfMonth].some((day) => day <= (LONGEST_MONTH[month - 1] ?? 0)),
  );
}

function parseField(text: string, field: Field): readonly number[] | string {
  const values = new Set<number>();
  for (const item of text.split(",")) {
    const found = parseItem(item, field);
    if (found === undefined) return `${item.slice(0, 20) || "nothing"} is no ${field.name}`;
    for (const value of found) values.add(value);
  }
  return [...values].toSorted((a, b) => a - b);
}

function parseItem(item: string, field: Field): readonly number[] | undefined {
  const [, span = "", by] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(item) ?? [];
  const step = by === undefined ? 1 : Number(by);
  if (span === "" || step < 1) return undefined;
  const range = rangeOf(span, by !== undefined, field);
  if (range === undefined) return undefined;
  const values: number[] = [];
  for (let value = range.from; value <= range.to; value += step) values.push(value);
  return values;
}

function rangeOf(span: string, stepped: boolean, field: Field) {
  if (span === "*") return { from: field.min, to: field.name === "day of week" ? 6 : field.max };
  const ends = span.split("-").map((end) => valueOf(end, field));
  const [from, to = stepped ? field.max : from] = ends;
  if (ends.length > 2 || from === undefined || to === undefined) return undefined;
  return from <= to ? { from, to } : undefined;
}

function valueOf(text: string, { min, max, names }: Field): number | undefined {
  const named = names?.indexOf(text.toLowerCase()) ?? -1;
  if (named >= 0) return named + min;
  const value = /^\d{1,2}$/.test(text) ? Number(text) : -1;
  return value >= min && value <= max ? value : undefined;
}
