import { useEffect, useState } from "react";
import type { Invocation, InvocationSummary } from "../../../core/invocations/contract.ts";
import type { Page } from "../../../core/page.ts";
import { askJson } from "./api.ts";
import { useLoad } from "./load.ts";
import { Link, ProblemNote, When } from "./parts.tsx";
import { askedIn, type Turn } from "./turn.ts";

/** Sessions whose first input is read to name them; older ones go by their time. */
const NAMED = 8;

type Summary = {
  readonly id: string;
  readonly firstInvocationId: string;
  readonly lastAt: string;
  readonly turns: number;
};

/** How far the listing may lag behind the end of an invocation; then it is read again. */
const LAG_MS = 1500;

/** The agent's latest sessions, folded from its latest invocations: there is no listing of them. */
export function Sessions(props: {
  readonly agent: string;
  readonly environment: string;
  readonly current: string | null;
  readonly turns: readonly Turn[];
  readonly address: (session: string | null) => string;
}) {
  const { agent, environment, current, turns } = props;
  const query = new URLSearchParams({ agent, limit: "100" });
  const listing = useLoad<Page<InvocationSummary>>(`/v1/invocations?${query}`);
  const { reload } = listing;
  const settled = turns.filter((turn) => turn.invocation !== null).length;
  useEffect(() => {
    if (settled === 0) return undefined;
    const timer = setTimeout(reload, LAG_MS);
    return () => clearTimeout(timer);
  }, [settled, reload]);
  // Open for the session it was opened at: choosing another one closes it.
  const [openedAt, setOpenedAt] = useState<string | null>();
  const opened = openedAt === current;
  const listed = summarize(listing.data?.data ?? [], environment);
  const names = useNames(listed.slice(0, NAMED));
  const here = current !== null && !listed.some(({ id }) => id === current) ? turns[0] : undefined;
  return (
    <aside className="sessions" aria-label="Sessions">
      <div className="sessions-head">
        <button
          type="button"
          className="quiet"
          aria-expanded={opened}
          aria-controls="session-list"
          onClick={() => setOpenedAt(opened ? undefined : current)}
        >
          Sessions
        </button>
        <h2>Sessions</h2>
        <Link to={props.address(null)} className="new">
          New session
        </Link>
      </div>
      <div id="session-list" className={opened ? "is-open" : undefined}>
        {listing.problem && !listing.data ? (
          <ProblemNote problem={listing.problem} onRetry={reload} />
        ) : null}
        {listing.data && listed.length === 0 && !here ? <p className="note">None yet.</p> : null}
        <ul>
          {here && current !== null ? (
            <li>
              <Link to={props.address(current)} current="true">
                <span className="name">{here.asked}</span>
                <span className="when">now</span>
              </Link>
            </li>
          ) : null}
          {listed.map((session) => (
            <li key={session.id}>
              <Link
                to={props.address(session.id)}
                current={session.id === current ? "true" : undefined}
              >
                <span className="name">{names[session.id] ?? "Session"}</span>
                <span className="when">
                  <When at={session.lastAt} />
                  <span>{session.turns === 1 ? "1 turn" : `${session.turns} turns`}</span>
                </span>
              </Link>
            </li>
          ))}
        </ul>
      </div>
    </aside>
  );
}

/** Newest first, as the listing is; the last row of a session is its first turn that we know of. */
function summarize(rows: readonly InvocationSummary[], environment: string): Summary[] {
  const sessions = new Map<string, Summary>();
  for (const row of rows) {
    if (row.environment !== environment) continue;
    const known = sessions.get(row.session_id);
    sessions.set(row.session_id, {
      id: row.session_id,
      firstInvocationId: row.id,
      lastAt: known?.lastAt ?? row.created_at,
      turns: (known?.turns ?? 0) + 1,
    });
  }
  return [...sessions.values()];
}

/** Session id to the first thing asked in it, as far as it has been read. */
function useNames(sessions: readonly Summary[]): Readonly<Record<string, string>> {
  const [names, setNames] = useState<Readonly<Record<string, string>>>({});
  const unnamed = sessions.filter(({ id }) => names[id] === undefined);
  const wanted = unnamed.map(({ firstInvocationId }) => firstInvocationId).join(" ");
  useEffect(() => {
    if (wanted === "") return undefined;
    const leaving = new AbortController();
    const name = async (id: string): Promise<void> => {
      try {
        const path = `/v1/invocations/${id}`;
        const { session_id: session, input } = await askJson<Invocation>(path, {
          signal: leaving.signal,
        });
        setNames((before) => ({ ...before, [session]: askedIn(input) }));
      } catch {
        // A name is a courtesy: without one the session goes by its time.
      }
    };
    for (const id of wanted.split(" ")) void name(id);
    return () => leaving.abort();
  }, [wanted]);
  return names;
}
