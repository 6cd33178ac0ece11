import { useCallback } from "react";
import type { Agent } from "../../../core/agents/contract.ts";
import { AgentFrame } from "./agent-frame.tsx";
import { Composer } from "./composer.tsx";
import { useLoad } from "./load.ts";
import { ProblemNote, Skeleton } from "./parts.tsx";
import { navigate } from "./route.ts";
import { Sessions } from "./sessions.tsx";
import { Turns } from "./turns.tsx";
import { pending } from "./turn.ts";
import { useTranscript } from "./use-transcript.ts";
import type { May } from "./wire.ts";

/** Talk to one agent: its sessions at the side, the turns of one, and the place to write. */
export function TalkScreen(props: {
  readonly agent: string;
  readonly query: URLSearchParams;
  readonly may: May;
}) {
  const agent = useLoad<Agent>(`/v1/agents/${encodeURIComponent(props.agent)}`);
  const live = Object.keys(agent.data?.live ?? {});
  const asked = props.query.get("environment");
  const environment = asked ?? (live.includes("prod") ? "prod" : live[0]) ?? "prod";
  const choose = (name: string) => navigate(talkAddress(props.agent, name, null));
  return (
    <AgentFrame
      agent={agent}
      slug={props.agent}
      current="talk"
      aside={
        agent.data ? (
          <EnvironmentChoice live={agent.data.live} chosen={environment} onChoose={choose} />
        ) : null
      }
    >
      {(found) => (
        <Talk
          key={environment}
          agent={found}
          environment={environment}
          session={props.query.get("session")}
          may={props.may}
        />
      )}
    </AgentFrame>
  );
}

function Talk(props: {
  readonly agent: Agent;
  readonly environment: string;
  readonly session: string | null;
  readonly may: May;
}) {
  const { agent, environment, session } = props;
  const accepted = useCallback(
    (id: string, known: readonly string[]) =>
      navigate(talkAddress(agent.slug, environment, id), { replace: { invocations: known } }),
    [agent.slug, environment],
  );
  const transcript = useTranscript({ agent: agent.slug, environment, session }, accepted);
  const { turns } = transcript;
  return (
    <div className="talk">
      <Sessions
        agent={agent.slug}
        environment={environment}
        current={session}
        turns={turns}
        address={(id) => talkAddress(agent.slug, environment, id)}
      />
      <section className="stage" aria-label={`Session with ${agent.name}`}>
        {transcript.problem ? <ProblemNote problem={transcript.problem} /> : null}
        {transcript.loading ? <Skeleton lines={4} /> : null}
        {turns.length === 0 && !transcript.loading && !transcript.problem ? (
          <Opening agent={agent} environment={environment} />
        ) : null}
        <Turns turns={turns} agentName={agent.name} onAgain={transcript.again} />
        <Composer
          agentName={agent.name}
          key={transcript.opened}
          refusal={refusalOf(props)}
          busy={turns.some(pending)}
          onSend={transcript.send}
          onStop={props.may.write ? transcript.stop : undefined}
        />
      </section>
    </div>
  );
}

/** Why nothing can be sent here, in a few words. */
function refusalOf(props: {
  readonly agent: Agent;
  readonly environment: string;
  readonly may: May;
}): string | undefined {
  if (!props.may.invoke) return "This key may not invoke agents.";
  if (props.agent.live[props.environment] !== undefined) return undefined;
  return `Nothing is live in ${props.environment}.`;
}

function Opening({ agent, environment }: { readonly agent: Agent; readonly environment: string }) {
  const version = agent.live[environment];
  if (version === undefined) {
    return (
      <div className="empty">
        <p>
          <strong>
            No version of {agent.name} is live in {environment}.
          </strong>
        </p>
        <p>
          Deploy one with <code>POST /v1/agents/{agent.slug}/deployments</code>, then talk to it
          here.
        </p>
      </div>
    );
  }
  return (
    <div className="empty">
      <p>
        <strong>A new session with {agent.name}.</strong>
      </p>
      <p>{agent.description || `Version ${version} answers in ${environment}.`}</p>
    </div>
  );
}

/** Which environment answers; a plain word when there is only one. */
function EnvironmentChoice(props: {
  readonly live: Agent["live"];
  readonly chosen: string;
  readonly onChoose: (name: string) => void;
}) {
  const names = Object.keys(props.live);
  const all = names.includes(props.chosen) ? names : [...names, props.chosen];
  if (all.length === 1) {
    const version = props.live[props.chosen];
    return <span className="where">{version ? `${props.chosen} v${version}` : props.chosen}</span>;
  }
  return (
    <label className="where">
      <span className="sr-only">Environment</span>
      <select value={props.chosen} onChange={(e) => props.onChoose(e.target.value)}>
        {all.map((name) => (
          <option key={name} value={name}>
            {name} {props.live[name] ? `v${props.live[name]}` : "(nothing live)"}
          </option>
        ))}
      </select>
    </label>
  );
}

function talkAddress(agent: string, environment: string, session: string | null): string {
  const query = new URLSearchParams({
    ...(environment === "prod" ? {} : { environment }),
    ...(session === null ? {} : { session }),
  });
  return `/console/agents/${agent}${query.size > 0 ? `?${query}` : ""}`;
}
