import { useState } from "react";
import type { AuditEntry, Verification } from "../../../../core/audit/contract.ts";
import { askJson } from "../api.ts";
import { textIn, useDoing } from "../form.tsx";
import { usePages } from "../load.ts";
import { ProblemNote, Skeleton, Title, When } from "../parts.tsx";
import type { PageProps } from "../section.tsx";

const FILTERS = [
  ["action", "Action", "key.created"],
  ["actor", "Who", "usr_…"],
  ["resource_id", "What", "key_…"],
] as const;

/** Who did what, and the proof that nobody has changed the record of it. */
export function AuditPage(_props: PageProps) {
  const [filter, setFilter] = useState<Readonly<Record<string, string>>>({});
  const chosen = Object.entries(filter).filter(([, value]) => value !== "");
  const query = new URLSearchParams({ ...Object.fromEntries(chosen), limit: "50" });
  const entries = usePages<AuditEntry>(`/v1/audit?${query}`);
  query.delete("limit");
  return (
    <>
      <Title>Audit</Title>
      <Verify />
      <form
        className="pair"
        onSubmit={(e) => {
          e.preventDefault();
          const form = new FormData(e.currentTarget);
          setFilter(Object.fromEntries(FILTERS.map(([name]) => [name, textIn(form, name) ?? ""])));
        }}
      >
        {FILTERS.map(([name, label, placeholder]) => (
          <div className="field" key={name}>
            <label htmlFor={`filter-${name}`}>{label}</label>
            <input id={`filter-${name}`} name={name} placeholder={placeholder} />
          </div>
        ))}
        <button type="submit">Filter</button>
      </form>
      <p className="actions">
        {["csv", "json", "ndjson"].map((format) => (
          <a
            key={format}
            href={`/v1/audit/export?${new URLSearchParams({ ...Object.fromEntries(query), format })}`}
            download={`audit.${format}`}
          >
            {format.toUpperCase()}
          </a>
        ))}
      </p>
      {entries.problem ? <ProblemNote problem={entries.problem} onRetry={entries.reload} /> : null}
      {entries.data === undefined && entries.loading ? <Skeleton lines={6} /> : null}
      {entries.data?.length === 0 ? <p className="empty">Nothing like that was done.</p> : null}
      {entries.data && entries.data.length > 0 ? <Entries entries={entries.data} /> : null}
      {entries.more ? (
        <button type="button" onClick={entries.more}>
          Earlier
        </button>
      ) : null}
    </>
  );
}

function Entries({ entries }: { readonly entries: readonly AuditEntry[] }) {
  return (
    <div className="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">Action</th>
            <th scope="col">Who</th>
            <th scope="col">What</th>
            <th scope="col">Result</th>
            <th scope="col">No.</th>
          </tr>
        </thead>
        <tbody>
          {entries.map((entry) => (
            <tr key={entry.id}>
              <td>
                <When at={entry.at} />
              </td>
              <th scope="row">{entry.action}</th>
              <td className="id">{entry.actor.id}</td>
              <td className="id">{entry.resource.id}</td>
              <td>{entry.result}</td>
              <td>{entry.seq ?? "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Recomputes the whole chain; a long one in several answers. */
function Verify() {
  const doing = useDoing();
  const [found, setFound] = useState<Verification>();
  const verify = () =>
    doing.run(async () => {
      let entries = 0;
      let from: number | null = null;
      for (;;) {
        const path: string = from === null ? "" : `?from=${from}`;
        const part: Verification = await askJson<Verification>(`/v1/audit/verify${path}`);
        entries += part.entries;
        setFound({ ...part, entries });
        from = part.next_from;
        if (from === null || !part.verified) return;
      }
    });
  return (
    <div className="card verify">
      <div className="page-head">
        <output>{found === undefined ? "Not verified yet." : verdict(found)}</output>
        <button type="button" aria-disabled={doing.busy} onClick={verify}>
          {doing.busy ? "Verifying…" : "Verify the chain"}
        </button>
      </div>
      {doing.problem ? <ProblemNote problem={doing.problem} /> : null}
    </div>
  );
}

function verdict({ verified, entries, unchained, checkpoints, fault }: Verification): string {
  if (!verified) {
    return `Entry ${fault?.seq ?? "?"} (${fault?.id ?? "gone"}) is ${fault?.what ?? "wrong"}.`;
  }
  const waiting = unchained === 0 ? "" : `, ${unchained} wait to be chained`;
  return `${entries} entries are as they were written, ${checkpoints} checkpoints fit${waiting}.`;
}
