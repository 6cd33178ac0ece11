/** The trail as a file, in pieces. */
import type { AuditEntry, ExportFormat } from "./contract.ts";

export const MEDIA_TYPES: Readonly<Record<ExportFormat, string>> = {
  ndjson: "application/x-ndjson",
  csv: "text/csv; charset=utf-8",
  json: "application/json",
};

/**
 * `ndjson`: an entry a line, which is what a verifier reads. `json`: one array. `csv`: RFC 4180 with
 * a head line, for people and their sheets; it cannot be verified, because cells that a sheet would
 * run are disarmed.
 */
export async function* written(
  pages: AsyncIterable<readonly AuditEntry[]>,
  format: ExportFormat,
): AsyncGenerator<string> {
  if (format === "csv") yield line(COLUMNS.map(([name]) => name));
  if (format === "json") yield "[";
  let first = true;
  for await (const page of pages) {
    const texts = page.map((entry) =>
      format === "csv" ? line(COLUMNS.map(([, of]) => of(entry))) : JSON.stringify(entry),
    );
    if (format === "json") yield (first ? "\n" : ",\n") + texts.join(",\n");
    else yield format === "csv" ? texts.join("") : `${texts.join("\n")}\n`;
    first = false;
  }
  if (format === "json") yield "\n]\n";
}

type Cell = string | number | null;

const COLUMNS: readonly (readonly [name: string, of: (entry: AuditEntry) => Cell])[] = [
  ["id", ({ id }) => id],
  ["at", ({ at }) => at],
  ["action", ({ action }) => action],
  ["actor_kind", ({ actor }) => actor.kind],
  ["actor_id", ({ actor }) => actor.id],
  ["address", ({ address }) => address],
  ["request_id", (entry) => entry.request_id],
  ["resource_kind", ({ resource }) => resource.kind],
  ["resource_id", ({ resource }) => resource.id],
  ["result", ({ result }) => result],
  ["before_digest", (entry) => entry.before_digest],
  ["after_digest", (entry) => entry.after_digest],
  ["detail", ({ detail }) => (detail === null ? null : JSON.stringify(detail))],
  ["seq", ({ seq }) => seq],
  ["previous_hash", (entry) => entry.previous_hash],
  ["hash", ({ hash }) => hash],
];

/** @source RFC 4180 §2 */
function line(cells: readonly Cell[]): string {
  return `${cells.map(cellText).join(",")}\r\n`;
}

/** What a sheet takes for a formula. @source OWASP, CSV Injection */
const FORMULA = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;

function cellText(cell: Cell): string {
  if (cell === null) return "";
  if (typeof cell === "number") return String(cell);
  const text = FORMULA.test(cell) ? `'${cell}` : cell;
  return `"${text.replaceAll('"', '""')}"`;
}
