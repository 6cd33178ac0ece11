import { useEffect, useRef } from "react";
import type { Invocation } from "../../../core/invocations/contract.ts";
import { costText, countText, tookText } from "./format.ts";
import { Link, ProblemNote, sentence, Status, When } from "./parts.tsx";
import { Prose } from "./prose.tsx";
import { Sources } from "./sources.tsx";
import { ToolRow } from "./tool-row.tsx";
import { pending, type Turn } from "./turn.ts";

/** How near its end the page must be for new text to pull it along. */
const FOLLOW_PX = 120;

export function Turns(props: {
  readonly turns: readonly Turn[];
  readonly agentName: string;
  /** Follow a turn again that was lost or refused. */
  readonly onAgain: (key: string) => void;
}) {
  const { turns, agentName } = props;
  useFollowEnd(turns);
  const last = turns.at(-1);
  return (
    <>
      <ol className="turns" aria-label="Turns">
        {turns.map((turn) => (
          <TurnRow
            key={turn.key}
            turn={turn}
            agentName={agentName}
            onAgain={() => props.onAgain(turn.key)}
          />
        ))}
      </ol>
      <div className="sr-only" aria-live="polite">
        {last === undefined ? "" : announcement(last, agentName)}
      </div>
    </>
  );
}

function TurnRow(props: {
  readonly turn: Turn;
  readonly agentName: string;
  readonly onAgain: () => void;
}) {
  const { turn, agentName, onAgain } = props;
  const waiting = pending(turn);
  const last = turn.pieces.at(-1);
  return (
    <li className="turn">
      <div className="asked">
        <span className="speaker">You</span>
        <p>{turn.asked}</p>
      </div>
      <div className="answer" aria-busy={waiting}>
        <span className="speaker">{agentName}</span>
        <div className="parts">
          {turn.pieces.map((piece) =>
            piece.kind === "tool" ? (
              <ToolRow key={piece.callId} use={piece} running={waiting} />
            ) : (
              <Prose key={piece.at} text={piece.text} growing={waiting && piece === last} />
            ),
          )}
          {turn.sources.length > 0 ? <Sources sources={turn.sources} /> : null}
          {turn.invocation?.error ? <Failure error={turn.invocation.error} /> : null}
          {turn.problem ? <ProblemNote problem={turn.problem} onRetry={onAgain} /> : null}
          <TurnNote turn={turn} />
        </div>
      </div>
    </li>
  );
}

export function Failure({
  error,
}: {
  readonly error: { readonly code: string; readonly detail: string };
}) {
  return (
    <div className="problem">
      <p>
        <strong>{sentence(error.code.replaceAll("_", " "))}</strong> {sentence(error.detail)}
      </p>
    </div>
  );
}

/** Where the turn stands and, at its end, what it took; with the way to its steps. */
function TurnNote({ turn }: { readonly turn: Turn }) {
  const { invocation, id } = turn;
  if (turn.link === "reconnecting" && pending(turn)) {
    return <p className="turn-note">Connection lost, reconnecting…</p>;
  }
  if (turn.problem !== null && invocation === null) return null;
  return (
    <p className="turn-note">
      <Status status={turn.status} />
      {invocation === null ? null : <Took of={invocation} />}
      {id === null ? null : <Link to={`/console/invocations/${id}`}>Steps</Link>}
    </p>
  );
}

function Took({ of }: { readonly of: Invocation }) {
  const { usage, created_at: createdAt, completed_at: completedAt } = of;
  return (
    <>
      <When at={createdAt} />
      {completedAt === null ? null : (
        <>
          <span>{tookText(createdAt, completedAt)}</span>
          <span>
            {countText(usage.input_tokens)} in, {countText(usage.output_tokens)} out
          </span>
          <span>{costText(of.cost_micros)}</span>
        </>
      )}
    </>
  );
}

/** What a screen reader says: that work began, then the whole answer once, not every piece. */
function announcement(turn: Turn, agentName: string): string {
  if (turn.link === "reconnecting") return "Connection lost, reconnecting.";
  if (pending(turn)) return `${agentName} is answering.`;
  if (turn.problem) return "";
  const said = turn.pieces.flatMap((piece) => (piece.kind === "text" ? [piece.text] : []));
  const end = turn.status === "succeeded" ? "" : ` Ended: ${turn.status}.`;
  return `${agentName}: ${said.join(" ")}${end}`;
}

/** Keeps the end of the page in view while text grows, unless the reader has scrolled away. */
function useFollowEnd(turns: readonly Turn[]): void {
  const near = useRef(true);
  const count = useRef(0);
  useEffect(() => {
    const look = () => {
      const { scrollHeight, clientHeight, scrollTop } = document.documentElement;
      near.current = scrollHeight - clientHeight - scrollTop < FOLLOW_PX;
    };
    addEventListener("scroll", look, { passive: true });
    return () => removeEventListener("scroll", look);
  }, []);
  useEffect(() => {
    const asked = turns.length !== count.current;
    count.current = turns.length;
    if (asked || near.current) scrollTo({ top: document.documentElement.scrollHeight });
  }, [turns]);
}
