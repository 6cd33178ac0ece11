import { useCallback, useEffect, useState } from "react";
import { ApiProblem, ask, askJson, onUnauthenticated } from "./api.ts";
import { AgentsScreen } from "./agents.tsx";
import { CompareScreen } from "./compare.tsx";
import { HealthScreen } from "./health.tsx";
import { InvocationScreen } from "./invocation.tsx";
import { InvocationsScreen } from "./invocations.tsx";
import { asProblem } from "./load.ts";
import { Link, Mark, ProblemNote, Skeleton, Title } from "./parts.tsx";
import { LinkScreen } from "./link-pages.tsx";
import { navigate, parseRoute, useAddress, type Route } from "./route.ts";
import { SettingsScreen } from "./settings.tsx";
import { SignIn } from "./sign-in.tsx";
import { TalkScreen } from "./talk.tsx";
import { WorkScreen } from "./work.tsx";
import type { May, SignedIn } from "./wire.ts";

type Standing = "unknown" | "signed out" | ApiProblem | SignedIn;

/** Asks who is signed in, then shows the sign-in form or the screen of the address. */
export function App() {
  const [standing, setStanding] = useState<Standing>("unknown");
  const look = useCallback(() => {
    askJson<SignedIn>("/auth/session")
      .then(setStanding)
      .catch((e: unknown) => {
        const problem = asProblem(e);
        setStanding(problem.document.status === 401 ? "signed out" : problem);
      });
  }, []);
  useEffect(look, [look]);
  useEffect(() => onUnauthenticated(() => setStanding("signed out")), []);
  const route = parseRoute(useAddress());

  if (route.screen === "link") {
    const enter = () => {
      navigate("/console");
      look();
    };
    return <LinkScreen page={route.page} onSignedIn={enter} />;
  }

  if (standing === "unknown") {
    return (
      <main className="lone">
        <Skeleton />
      </main>
    );
  }
  if (standing instanceof ApiProblem) {
    return (
      <main className="lone">
        <ProblemNote problem={standing} onRetry={look} />
      </main>
    );
  }
  if (standing === "signed out") return <SignIn onSignedIn={look} />;
  return <Shell me={standing} route={route} onSignedOut={() => setStanding("signed out")} />;
}

function Shell(props: {
  readonly me: SignedIn;
  readonly route: Route;
  readonly onSignedOut: () => void;
}) {
  const { tenant, principal, user } = props.me;
  const { route } = props;
  const [problem, setProblem] = useState<ApiProblem>();
  const signOut = () => {
    ask("/auth/session", { method: "DELETE" })
      .then(props.onSignedOut)
      .catch((e: unknown) => setProblem(asProblem(e)));
  };
  return (
    <>
      <a className="skip" href="#content">
        Skip to content
      </a>
      <header className="bar">
        <Link to="/console" className="wordmark">
          <Mark />
          <span>Berth</span>
        </Link>
        <span className="tenant">{tenant.name}</span>
        <span className="principal" title="Signed in as">
          {user?.email ?? principal.id}
        </span>
        <Link
          to="/console/work"
          className="bar-link"
          current={route.screen === "work" ? "page" : undefined}
        >
          Work
        </Link>
        <Link
          to="/console/settings"
          className="bar-link"
          current={route.screen === "settings" ? "page" : undefined}
        >
          Settings
        </Link>
        <button type="button" className="quiet" onClick={signOut}>
          Sign out
        </button>
      </header>
      <main id="content" tabIndex={-1}>
        {problem ? <ProblemNote problem={problem} /> : null}
        {tenant.status === "suspended" ? (
          <output className="banner">
            This tenant is suspended: nothing is answered or changed until it is reactivated.
          </output>
        ) : null}
        <Screen route={route} me={props.me} />
      </main>
    </>
  );
}

function Screen({ route, me }: { readonly route: Route; readonly me: SignedIn }) {
  const { scopes } = me.principal;
  const may: May = {
    invoke: scopes.includes("agents:invoke"),
    write: scopes.includes("invocations:write"),
  };
  switch (route.screen) {
    case "agents":
      return <AgentsScreen />;
    case "talk":
      return <TalkScreen key={route.agent} agent={route.agent} query={route.query} may={may} />;
    case "invocations":
      return <InvocationsScreen key={route.agent} agent={route.agent} query={route.query} />;
    case "health":
      return (
        <HealthScreen
          key={route.agent}
          agent={route.agent}
          writes={scopes.includes("agents:write")}
        />
      );
    case "invocation":
      return route.compare === null ? (
        <InvocationScreen key={route.id} id={route.id} may={may} />
      ) : (
        <CompareScreen key={route.compare} from={route.id} to={route.compare} />
      );
    case "work":
      return <WorkScreen me={me} page={route.page} id={route.id} />;
    case "settings":
      return <SettingsScreen me={me} page={route.page} id={route.id} />;
    case "link":
    case "missing":
    default:
      return (
        <section className="page">
          <Title>Nothing here</Title>
          <p>
            This address names no page of the console. <Link to="/console">See the agents</Link>
          </p>
        </section>
      );
  }
}
