import { useState } from "react";
import type { Agent } from "../../../../core/agents/contract.ts";
import type { IssuedKey, Key, KeyUsage } from "../../../../core/keys/contract.ts";
import { ask, askJson, newIdempotencyKey } from "../api.ts";
import { Choice, Confirm, Field, Form, SecretOnce, textIn, useDoing } from "../form.tsx";
import { costText } from "../format.ts";
import { useLoad, usePages, type Paged } from "../load.ts";
import { Link, ProblemNote, Skeleton, Title, When } from "../parts.tsx";
import type { PageProps } from "../section.tsx";

/** Keys of the tenant: make, tell once, rotate, revoke, see what each is used for. */
export function KeysPage(props: PageProps) {
  return props.id === undefined ? <KeyList {...props} /> : <OneKey {...props} id={props.id} />;
}

function KeyList({ me, can }: PageProps) {
  const keys = usePages<Key>("/v1/keys?limit=100");
  const [made, setMade] = useState<IssuedKey>();
  const [making, setMaking] = useState(false);
  return (
    <>
      <div className="page-head">
        <Title>API keys</Title>
        {can("keys:write") && !making ? (
          <button type="button" className="primary" onClick={() => setMaking(true)}>
            New key
          </button>
        ) : null}
      </div>
      {making ? (
        <NewKey
          scopes={me.principal.scopes}
          onMade={(key) => {
            setMaking(false);
            setMade(key);
            keys.reload();
          }}
          onCancel={() => setMaking(false)}
        />
      ) : null}
      {made?.secret ? (
        <SecretOnce
          title={made.name}
          secret={made.secret}
          note="Send it as Authorization: Bearer …"
          onClose={() => setMade(undefined)}
        />
      ) : null}
      {keys.problem ? <ProblemNote problem={keys.problem} onRetry={keys.reload} /> : null}
      {keys.data === undefined && keys.loading ? <Skeleton lines={5} /> : null}
      {keys.data === undefined ? null : <KeyTable keys={keys.data} more={keys.more} />}
    </>
  );
}

function KeyTable({ keys, more }: { readonly keys: readonly Key[]; more: Paged<Key>["more"] }) {
  return (
    <>
      <ul className="rows">
        {keys.map((key) => (
          <li key={key.id}>
            <div className="who">
              <Link to={`/console/settings/keys/${key.id}`} className="cover">
                {key.name}
              </Link>
              <span className="slug">{key.start}…</span>
            </div>
            <span className={`state is-${key.status}`}>{key.status}</span>
            <span className="about">
              {key.environment ?? "every environment"}
              {key.expires_at === null ? null : (
                <>
                  , ends <When at={key.expires_at} />
                </>
              )}
            </span>
          </li>
        ))}
      </ul>
      {more ? (
        <button type="button" onClick={more}>
          More keys
        </button>
      ) : null}
    </>
  );
}

const DAYS = [
  ["", "never"],
  ["30", "in 30 days"],
  ["90", "in 90 days"],
  ["365", "in a year"],
] as const;

function NewKey(props: {
  readonly scopes: readonly string[];
  readonly onMade: (key: IssuedKey) => void;
  readonly onCancel: () => void;
}) {
  const doing = useDoing();
  const [idempotencyKey] = useState(newIdempotencyKey);
  const agents = usePages<Agent>("/v1/agents?limit=100");
  const wanted = (form: FormData) => {
    const days = textIn(form, "days");
    const agent = textIn(form, "agent");
    const environment = textIn(form, "environment");
    const ends = days && new Date(Date.now() + Number(days) * 86_400_000).toISOString();
    return {
      name: textIn(form, "name") ?? "",
      scopes: form.getAll("scope"),
      ...(agent ? { agent } : {}),
      ...(environment ? { environment } : {}),
      ...(ends ? { expires_at: ends } : {}),
    };
  };
  return (
    <Form
      className="form card"
      doing={doing}
      submit="Make the key"
      onCancel={props.onCancel}
      onSubmit={async (form) => {
        const headers = { "idempotency-key": idempotencyKey };
        const json = wanted(form);
        props.onMade(await askJson<IssuedKey>("/v1/keys", { method: "POST", json, headers }));
      }}
    >
      <h2>New key</h2>
      <Field label="Name" name="name" required maxLength={120} doing={doing} focused />
      <div className="pair">
        <Choice
          label="Agent"
          name="agent"
          options={[["", "every agent"], ...(agents.data ?? []).map(byName)]}
        />
        <Choice
          label="Environment"
          name="environment"
          options={[
            ["", "every one"],
            ["dev", "dev"],
            ["staging", "staging"],
            ["prod", "prod"],
          ]}
        />
        <Choice label="Ends" name="days" options={DAYS} />
      </div>
      <fieldset className="scopes">
        <legend>Scopes</legend>
        {props.scopes.map((scope) => (
          <label key={scope}>
            <input
              type="checkbox"
              name="scope"
              value={scope}
              defaultChecked={scope === "agents:invoke"}
            />
            {scope}
          </label>
        ))}
      </fieldset>
    </Form>
  );
}

const byName = (agent: Agent) => [agent.id, agent.name] as const;

type Asked = "rotate" | "revoke" | undefined;

function OneKey({ id, can }: PageProps & { readonly id: string }) {
  const key = useLoad<Key>(`/v1/keys/${encodeURIComponent(id)}`);
  const [asked, setAsked] = useState<Asked>();
  const [made, setMade] = useState<IssuedKey>();
  const path = `/v1/keys/${encodeURIComponent(id)}`;
  if (key.problem) return <ProblemNote problem={key.problem} onRetry={key.reload} />;
  if (key.data === undefined) return <Skeleton lines={6} />;
  const { data } = key;
  const live = data.status !== "revoked" && can("keys:write");
  return (
    <>
      <nav aria-label="Path" className="path">
        <Link to="/console/settings/keys">API keys</Link>
      </nav>
      <div className="page-head">
        <Title>{data.name}</Title>
        {live ? (
          <div className="actions">
            <button type="button" onClick={() => setAsked("rotate")}>
              Rotate
            </button>
            <button type="button" className="stop" onClick={() => setAsked("revoke")}>
              Revoke
            </button>
          </div>
        ) : null}
      </div>
      <KeyFacts data={data} />
      <UsageTable id={id} />
      {asked === "revoke" ? (
        <Confirm
          title={`Revoke ${data.name}?`}
          action="Revoke"
          onClose={() => setAsked(undefined)}
          onConfirm={async () => {
            await ask(`${path}/revoke`, { method: "POST" });
            key.reload();
          }}
        >
          <p>It stops working everywhere within five seconds, and cannot be brought back.</p>
        </Confirm>
      ) : null}
      {asked === "rotate" ? (
        <Confirm
          title={`Rotate ${data.name}?`}
          action="Rotate"
          onClose={() => setAsked(undefined)}
          onConfirm={async () => {
            const json = { grace_seconds: 86_400 };
            setMade(await askJson<IssuedKey>(`${path}/rotate`, { method: "POST", json }));
            key.reload();
          }}
        >
          <p>A new key takes its place; this one goes on for a day.</p>
        </Confirm>
      ) : null}
      {made?.secret ? (
        <SecretOnce title={made.name} secret={made.secret} onClose={() => setMade(undefined)} />
      ) : null}
    </>
  );
}

function KeyFacts({ data }: { readonly data: Key }) {
  const facts: readonly (readonly [string, string])[] = [
    ["Begins with", `${data.start}…`],
    ["Status", data.status],
    ["Agent", data.agent_id ?? "every agent"],
    ["Environment", data.environment ?? "every one"],
    ["Origins", data.allowed_origins?.join(", ") ?? "any"],
    ["Addresses", data.allowed_ips?.join(", ") ?? "any"],
    ["Scopes", data.scopes.join(" ")],
  ];
  return (
    <dl className="facts-list">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function UsageTable({ id }: { readonly id: string }) {
  const usage = useLoad<KeyUsage>(`/v1/keys/${encodeURIComponent(id)}/usage`);
  if (usage.problem) return <ProblemNote problem={usage.problem} onRetry={usage.reload} />;
  if (usage.data === undefined) return <Skeleton lines={2} />;
  const { days, credits, last_used_at: last } = usage.data;
  return (
    <>
      <h2>Use of the last 30 days</h2>
      <p className="note">
        {last === null ? (
          "Not used."
        ) : (
          <>
            Last used <When at={last} />.
          </>
        )}
        {credits === null ? null : ` ${credits.remaining} credits left.`}
      </p>
      {days.length === 0 ? null : (
        <div className="scroll">
          <table>
            <thead>
              <tr>
                <th scope="col">Day</th>
                <th scope="col">Requests</th>
                <th scope="col">Invocations</th>
                <th scope="col">Tokens</th>
                <th scope="col">Cost</th>
              </tr>
            </thead>
            <tbody>
              {days.map((day) => (
                <tr key={day.date}>
                  <th scope="row">{day.date}</th>
                  <td>{day.requests}</td>
                  <td>{day.invocations}</td>
                  <td>{day.input_tokens + day.output_tokens}</td>
                  <td>{costText(day.cost_micros)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}
