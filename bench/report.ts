/** What a run found: rows of numbers, each beside its goal where it has one. */

/** `max`: at most; `min`: at least. */
export type Goal = { readonly kind: "max" | "min"; readonly bound: number };

export type Row = {
  /** `group.what`, stable over time: what later runs are compared by. */
  readonly id: string;
  readonly what: string;
  readonly unit: "ms" | "/s" | "MB" | "kB" | "" | "s";
  /** Null: not measured, and `note` says why. */
  readonly product: number | null;
  readonly floor?: number;
  /** Without anything before it: the stub itself, or the same at its smallest. */
  readonly base?: number;
  /** Product over floor, or over base where there is no floor, paired round by round. */
  readonly ratio?: number;
  /** Bounds `ratio` where there is one, else `product`. */
  readonly goal?: Goal;
  readonly note?: string;
};

export type Report = {
  readonly at: string;
  readonly commit: string;
  readonly machine: Readonly<Record<string, string | number>>;
  readonly rows: readonly Row[];
};

/** Undefined where there is no goal or nothing was measured. */
export function met(row: Row): boolean | undefined {
  const value = judged(row);
  if (row.goal === undefined || value === null) return undefined;
  return row.goal.kind === "max" ? value <= row.goal.bound : value >= row.goal.bound;
}

/** How far off, in percent of the goal: 0 where it is met. */
export function missedByPct(row: Row): number {
  const value = judged(row);
  if (met(row) !== false || row.goal === undefined || value === null) return 0;
  if (row.goal.bound === 0) return 100;
  return Math.abs(value / row.goal.bound - 1) * 100;
}

const HEAD = ["measured", "product", "floor", "base", "ratio", "goal", ""] as const;

/** Lines of one width per column, for a terminal. */
export function table(rows: readonly Row[]): string {
  const lines = [HEAD, ...rows.map(cells)];
  const widths = HEAD.map((_, at) => Math.max(...lines.map((line) => line[at]?.length ?? 0)));
  const text = lines.map((line) =>
    line
      .map((cell, at) =>
        at === 0 || at === 6 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0),
      )
      .join("  ")
      .trimEnd(),
  );
  const notes = rows
    .filter((row) => row.note !== undefined)
    .map((row) => `${row.what}: ${row.note}`);
  return [...text, ...(notes.length > 0 ? ["", ...notes] : [])].join("\n");
}

function judged(row: Row): number | null {
  return row.product === null ? null : (row.ratio ?? row.product);
}

function cells(row: Row): readonly string[] {
  const { unit } = row;
  const amount = (value: number | null | undefined) =>
    value === undefined || value === null
      ? "–"
      : `${figure(value)}${unit === "" || unit === "/s" ? unit : ` ${unit}`}`;
  return [
    row.what,
    amount(row.product),
    amount(row.floor),
    amount(row.base),
    row.ratio === undefined ? "–" : `${row.ratio.toFixed(2)} ×`,
    row.goal === undefined
      ? ""
      : `${row.goal.kind === "max" ? "≤" : "≥"} ${row.goal.bound}${row.ratio === undefined ? "" : " ×"}`,
    verdict(row),
  ];
}

function verdict(row: Row): string {
  if (row.product === null) return "not measured";
  const good = met(row);
  if (good === undefined) return "";
  return good ? "✓" : `✗ by ${missedByPct(row).toFixed(0)} %`;
}

function figure(value: number): string {
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return Number.isInteger(value) ? String(value) : value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}
