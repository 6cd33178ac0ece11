import { useState } from "react";
import type { Budget, BudgetUse } from "../../../../core/budgets/contract.ts";
import type { Level, Limit, LimitUse } from "../../../../core/limits/contract.ts";
import type { Stop } from "../../../../core/stops/contract.ts";
import { ask } from "../api.ts";
import { Choice, Confirm, Field, Form, textIn, useDoing } from "../form.tsx";
import { costText, countText } from "../format.ts";
import { useLoad, type Paged } from "../load.ts";
import { ProblemNote, When } from "../parts.tsx";
import type { PageProps } from "../section.tsx";
import { Listing, Row } from "../settings/listing.tsx";
import { Meter } from "./meter.tsx";

type Aimed = { readonly level: Level; readonly subject: string | null };

const LEVELS: readonly (readonly [Level, string])[] = [
  ["tenant", "the whole tenant"],
  ["project", "a project"],
  ["agent", "an agent"],
  ["key", "an API key"],
  ["user", "an end user"],
];

/** What may be spent and asked, what of it is used now, and the switches that end it all. */
export function MoneyPage({ can }: PageProps) {
  return (
    <>
      <Budgets writes={can("budgets:write")} />
      {can("limits:read") ? <Limits writes={can("limits:write")} /> : null}
      {can("stops:read") ? <Stops writes={can("stops:write")} /> : null}
    </>
  );
}

function Budgets({ writes }: { readonly writes: boolean }) {
  return (
    <Listing<Budget>
      title="Budgets"
      path="/v1/budgets?limit=100"
      empty="No budget is set: what agents spend is bounded by each invocation alone."
      newOne={writes ? "New budget" : undefined}
      renderForm={(done, list) => <NewBudget done={done} list={list} />}
      renderRow={(budget, list) => (
        <Row
          name={`${costText(budget.amount_micros)} ${PERIODS[budget.period]}`}
          slug={aimText(budget)}
          about={budget.period === "invocation" ? null : <Spent of={budget} />}
        >
          {writes ? (
            <Remove
              name={`the budget of ${costText(budget.amount_micros)} ${PERIODS[budget.period]}`}
              path={`/v1/budgets/${budget.id}`}
              revision={budget.revision}
              onGone={list.reload}
            >
              It holds no longer, and what was spent of it is not kept.
            </Remove>
          ) : null}
        </Row>
      )}
    />
  );
}

const PERIODS: Readonly<Record<Budget["period"], string>> = {
  invocation: "an invocation",
  day: "a day",
  month: "a month",
  total: "in all",
};

function Spent({ of }: { readonly of: Budget }) {
  const use = useLoad<{ readonly data: readonly BudgetUse[] }>(`/v1/budgets/${of.id}/use?limit=5`);
  if (use.problem) return <ProblemNote problem={use.problem} onRetry={use.reload} />;
  const rows = use.data?.data ?? [];
  if (use.data && rows.length === 0) return <span className="note">Nothing is spent yet.</span>;
  return (
    <>
      {rows.map((row) => (
        <div key={`${row.subject} ${row.since}`}>
          <Meter
            label={`Spent${row.subject === null ? "" : ` by ${row.subject}`}`}
            used={row.spent_micros}
            held={row.reserved_micros}
            of={row.amount_micros}
          >
            {`${row.subject === null || of.subject !== "*" ? "" : `${row.subject}: `}${costText(row.spent_micros)} of ${costText(row.amount_micros)}`}
          </Meter>
          {row.resets_at === null ? null : (
            <span className="note">
              {row.warnings.length > 0 ? `Passed ${row.warnings.at(-1)?.percent} %. ` : ""}
              Anew <When at={row.resets_at} />
            </span>
          )}
        </div>
      ))}
    </>
  );
}

function NewBudget(props: { readonly done: () => void; readonly list: Paged<Budget> }) {
  const doing = useDoing();
  return (
    <Form
      className="form card"
      doing={doing}
      submit="Set the budget"
      onCancel={props.done}
      onSubmit={async (form) => {
        const amount = Math.round(Number(textIn(form, "amount") ?? "0") * 1_000_000);
        const json = {
          ...aimIn(form),
          period: textIn(form, "period"),
          amount_micros: amount,
          when_exhausted: textIn(form, "when_exhausted"),
        };
        await ask("/v1/budgets", { method: "POST", json });
        props.done();
        props.list.reload();
      }}
    >
      <h2>New budget</h2>
      <Aim doing={doing} />
      <div className="pair">
        <Field
          label="US dollars"
          name="amount"
          type="number"
          min="0"
          step="0.000001"
          required
          pointer="/amount_micros"
          doing={doing}
        />
        <Choice label="For" name="period" value="month" options={Object.entries(PERIODS)} />
      </div>
      <Choice
        label="A run that it does not carry on"
        name="when_exhausted"
        options={[
          ["fail", "fails"],
          ["wait", "waits for the next period"],
        ]}
      />
    </Form>
  );
}

function Limits({ writes }: { readonly writes: boolean }) {
  return (
    <Listing<Limit>
      second
      title="Limits"
      path="/v1/limits?limit=100"
      empty="No limit is set beyond those of agents and keys themselves."
      newOne={writes ? "New limit" : undefined}
      renderForm={(done, list) => <NewLimit done={done} list={list} />}
      renderRow={(limit, list) => (
        <Row
          name={`${countText(limit.limit)} ${PER[limit.per]}`}
          slug={aimText(limit)}
          about={<Used of={limit} />}
        >
          {writes ? (
            <Remove
              name={`the limit of ${limit.limit} ${PER[limit.per]}`}
              path={`/v1/limits/${limit.id}`}
              revision={limit.revision}
              onGone={list.reload}
            >
              It holds no longer.
            </Remove>
          ) : null}
        </Row>
      )}
    />
  );
}

const PER: Readonly<Record<Limit["per"], string>> = {
  minute: "a minute",
  hour: "an hour",
  day: "a day",
  concurrency: "at once",
};

function Used({ of }: { readonly of: Limit }) {
  const use = useLoad<{ readonly data: readonly LimitUse[] }>(`/v1/limits/${of.id}/use?limit=5`);
  if (use.problem) return <ProblemNote problem={use.problem} onRetry={use.reload} />;
  return (
    <>
      {(use.data?.data ?? []).map((row) => (
        <Meter
          key={`${row.subject} ${row.since}`}
          label={`Used${row.subject === null ? "" : ` by ${row.subject}`}`}
          used={row.used}
          of={row.limit}
        >
          {`${row.subject === null || of.subject !== "*" ? "" : `${row.subject}: `}${countText(row.used)} of ${countText(row.limit)}`}
        </Meter>
      ))}
    </>
  );
}

function NewLimit(props: { readonly done: () => void; readonly list: Paged<Limit> }) {
  const doing = useDoing();
  return (
    <Form
      className="form card"
      doing={doing}
      submit="Set the limit"
      onCancel={props.done}
      onSubmit={async (form) => {
        const limit = Number(textIn(form, "limit") ?? "0");
        await ask("/v1/limits", {
          method: "POST",
          json: { ...aimIn(form), per: textIn(form, "per"), limit },
        });
        props.done();
        props.list.reload();
      }}
    >
      <h2>New limit</h2>
      <Aim doing={doing} />
      <div className="pair">
        <Field label="Invocations" name="limit" type="number" min="0" required doing={doing} />
        <Choice label="In" name="per" options={Object.entries(PER)} />
      </div>
    </Form>
  );
}

function Stops({ writes }: { readonly writes: boolean }) {
  return (
    <Listing<Stop>
      second
      title="Kill switches"
      path="/v1/stops?limit=100"
      note="While one is thrown nothing that it is about begins, and what runs is ended at once."
      empty="None is thrown."
      newOne={writes ? "Throw one" : undefined}
      renderForm={(done, list) => <NewStop done={done} list={list} />}
      renderRow={(stop, list) => (
        <Row
          name={stop.reason}
          slug={aimText(stop)}
          state={stop.reached_at === null ? "reaching" : "stopped"}
          about={<When at={stop.created_at} />}
        >
          {writes ? (
            <Remove
              name={`the switch "${stop.reason}"`}
              action="Lift"
              path={`/v1/stops/${stop.id}`}
              onGone={list.reload}
            >
              Work may begin again. What it ended stays ended.
            </Remove>
          ) : null}
        </Row>
      )}
    />
  );
}

function NewStop(props: { readonly done: () => void; readonly list: Paged<Stop> }) {
  const doing = useDoing();
  return (
    <Form
      className="form card"
      doing={doing}
      submit="Stop it now"
      danger
      onCancel={props.done}
      onSubmit={async (form) => {
        await ask("/v1/stops", {
          method: "POST",
          json: { ...aimIn(form), reason: textIn(form, "reason") },
        });
        props.done();
        props.list.reload();
      }}
    >
      <h2>Throw a kill switch</h2>
      <Aim doing={doing} />
      <Field
        label="Reason"
        name="reason"
        required
        maxLength={200}
        hint="Told to whoever is refused."
        doing={doing}
      />
    </Form>
  );
}

/** Whom it is about. */
function Aim({ doing }: { readonly doing: ReturnType<typeof useDoing> }) {
  const [level, setLevel] = useState<string>("tenant");
  return (
    <div className="pair">
      <Choice label="About" name="level" options={LEVELS} onChange={setLevel} />
      {level === "tenant" ? null : (
        <Field
          label="Which"
          name="subject"
          required
          hint="Its id or slug; * for each by itself."
          doing={doing}
        />
      )}
    </div>
  );
}

function aimIn(form: FormData) {
  const subject = textIn(form, "subject");
  return { level: textIn(form, "level"), ...(subject === undefined ? {} : { subject }) };
}

function aimText({ level, subject }: Aimed): string {
  if (subject === null) return "the whole tenant";
  return subject === "*" ? `each ${level}` : `${level} ${subject}`;
}

function Remove(props: {
  readonly name: string;
  readonly action?: string;
  readonly path: string;
  readonly revision?: number;
  readonly onGone: () => void;
  readonly children: string;
}) {
  const { action = "Remove", name, path, revision } = props;
  const [asking, setAsking] = useState(false);
  return (
    <>
      <button type="button" aria-label={`${action} ${name}`} onClick={() => setAsking(true)}>
        {action}
      </button>
      {asking ? (
        <Confirm
          title={`${action} ${name}?`}
          action={action}
          onClose={() => setAsking(false)}
          onConfirm={async () => {
            await ask(path, { method: "DELETE", ...(revision === undefined ? {} : { revision }) });
            props.onGone();
          }}
        >
          <p>{props.children}</p>
        </Confirm>
      ) : null}
    </>
  );
}
