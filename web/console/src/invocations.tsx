import { useEffect } from "react";
import type { Agent } from "../../../core/agents/contract.ts";
import type { InvocationStatus, InvocationSummary } from "../../../core/invocations/contract.ts";
import { AgentFrame } from "./agent-frame.tsx";
import { costText, countText, tookText } from "./format.ts";
import { useLoad, usePages } from "./load.ts";
import { Link, ProblemNote, Skeleton, Status, When } from "./parts.tsx";
import { navigate } from "./route.ts";

const STATUSES: readonly InvocationStatus[] = [
  "accepted",
  "running",
  "waiting",
  "succeeded",
  "failed",
  "cancelled",
  "dead",
];

/** How often the first page is read again while somebody looks at it. */
const REFRESH_MS = 4000;

export function InvocationsScreen(props: {
  readonly agent: string;
  readonly query: URLSearchParams;
}) {
  const agent = useLoad<Agent>(`/v1/agents/${encodeURIComponent(props.agent)}`);
  return (
    <AgentFrame agent={agent} slug={props.agent} current="invocations">
      {({ slug }) => <Invocations agent={slug} status={props.query.get("status") ?? ""} />}
    </AgentFrame>
  );
}

function Invocations({ agent, status }: { readonly agent: string; readonly status: string }) {
  const query = new URLSearchParams({ agent, ...(status === "" ? {} : { status }) });
  const list = usePages<InvocationSummary>(`/v1/invocations?${query}`);
  const { reload, extended } = list;
  useEffect(() => {
    if (extended) return undefined;
    const timer = setInterval(() => {
      if (!document.hidden) reload();
    }, REFRESH_MS);
    return () => clearInterval(timer);
  }, [extended, reload]);

  const choose = (chosen: string) =>
    navigate(`/console/agents/${agent}/invocations${chosen === "" ? "" : `?status=${chosen}`}`);
  return (
    <section className="page">
      <div className="list-head">
        <label>
          Status
          <select value={status} onChange={(e) => choose(e.target.value)}>
            <option value="">all</option>
            {STATUSES.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <button type="button" onClick={reload}>
          Refresh
        </button>
      </div>
      {list.problem ? <ProblemNote problem={list.problem} onRetry={reload} /> : null}
      {list.data === undefined && list.loading ? <Skeleton lines={6} /> : null}
      {list.data?.length === 0 ? (
        <div className="empty">
          <p>
            <strong>{status === "" ? "No invocations yet." : `None ${status}.`}</strong>
          </p>
          <p>
            {status === "" ? (
              <Link to={`/console/agents/${agent}`}>Talk to the agent to make the first</Link>
            ) : (
              <Link to={`/console/agents/${agent}/invocations`}>Show all</Link>
            )}
          </p>
        </div>
      ) : null}
      {list.data && list.data.length > 0 ? <InvocationTable rows={list.data} /> : null}
      {list.more ? (
        <button type="button" onClick={list.more}>
          Older invocations
        </button>
      ) : null}
    </section>
  );
}

function InvocationTable({ rows }: { readonly rows: readonly InvocationSummary[] }) {
  return (
    <table className="invocations">
      <thead>
        <tr>
          <th scope="col">Status</th>
          <th scope="col">Started</th>
          <th scope="col" className="number wide">
            Took
          </th>
          <th scope="col" className="number">
            Tokens
          </th>
          <th scope="col" className="number">
            Cost
          </th>
          <th scope="col" className="wide">
            Where
          </th>
          <th scope="col" className="wide">
            Id
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <InvocationRow key={row.id} row={row} />
        ))}
      </tbody>
    </table>
  );
}

function InvocationRow({ row }: { readonly row: InvocationSummary }) {
  return (
    <tr>
      <td>
        <Link to={`/console/invocations/${row.id}`} className="cover">
          <Status status={row.status} />
        </Link>
      </td>
      <td>
        <When at={row.created_at} />
      </td>
      <td className="number wide">{tookText(row.created_at, row.completed_at)}</td>
      <td className="number">
        {countText(row.usage.input_tokens)}
        <span className="to" aria-label="in, out">
          {" → "}
        </span>
        {countText(row.usage.output_tokens)}
      </td>
      <td className="number">{costText(row.cost_micros)}</td>
      <td className="wide">
        {row.environment} v{row.version}
      </td>
      <td className="wide id">{row.id}</td>
    </tr>
  );
}
