import { useEffect } from "react";
import type {
  Approval,
  ApprovalStatus,
  ApprovalSummary,
  Vote,
} from "../../../../core/approvals/contract.ts";
import { ApiProblem, askJson } from "../api.ts";
import { Field, Form, TextArea, textIn, useDoing } from "../form.tsx";
import { costText, prettyText } from "../format.ts";
import { useLoad, usePages, type Loaded } from "../load.ts";
import { Link, ProblemNote, Skeleton, Title, When } from "../parts.tsx";
import { navigate } from "../route.ts";
import type { PageProps } from "../section.tsx";
import { Facts, Path, Row } from "../settings/listing.tsx";

/** How often the inbox is read again while somebody looks at it. */
const REFRESH_MS = 10_000;

/** What runs wait for: the open ones first, what was decided on asking. */
export function ApprovalsPage(props: PageProps) {
  if (props.id === undefined) return <Inbox />;
  return <OneApproval {...props} id={props.id} />;
}

function Inbox() {
  const open = usePages<ApprovalSummary>("/v1/approvals?status=pending&limit=100");
  const { reload, extended, data } = open;
  useEffect(() => {
    if (extended) return undefined;
    const timer = setInterval(() => {
      if (!document.hidden) reload();
    }, REFRESH_MS);
    return () => clearInterval(timer);
  }, [extended, reload]);
  return (
    <>
      <div className="page-head">
        <Title>Approvals</Title>
        <button type="button" onClick={reload}>
          Refresh
        </button>
      </div>
      {open.problem ? <ProblemNote problem={open.problem} onRetry={reload} /> : null}
      {data === undefined && open.loading ? <Skeleton lines={4} /> : null}
      <p className="sr-only" aria-live="polite">
        {data === undefined ? "" : `${data.length} waiting`}
      </p>
      {data?.length === 0 ? (
        <div className="empty">
          <p>
            <strong>Nothing waits for a decision.</strong>
          </p>
          <p>A tool whose spec has an approval rule asks here before it is called.</p>
        </div>
      ) : null}
      {data && data.length > 0 ? <Rows rows={data} /> : null}
      {open.more ? (
        <button type="button" onClick={open.more}>
          More
        </button>
      ) : null}
      <Decided />
    </>
  );
}

function Decided() {
  const all = usePages<ApprovalSummary>("/v1/approvals");
  const over = all.data?.filter(({ status }) => status !== "pending") ?? [];
  if (over.length === 0) return null;
  return (
    <>
      <h2>Decided</h2>
      <Rows rows={over} />
      {all.more ? (
        <button type="button" onClick={all.more}>
          Older ones
        </button>
      ) : null}
    </>
  );
}

function Rows({ rows }: { readonly rows: readonly ApprovalSummary[] }) {
  return (
    <ul className="rows">
      {rows.map((row) => (
        <li key={row.id}>
          <Row
            name={row.name}
            slug={`${row.agent} · ${row.environment}`}
            to={`/console/work/approvals/${row.id}`}
            state={row.status}
            about={
              row.status === "pending" ? (
                <>
                  {row.kind === "effect" ? "What became of it is unknown. " : ""}
                  Until <When at={row.expires_at} />
                </>
              ) : (
                <When at={row.decided_at ?? row.expires_at} />
              )
            }
          />
        </li>
      ))}
    </ul>
  );
}

function OneApproval({ id, can }: PageProps & { readonly id: string }) {
  const path = `/v1/approvals/${encodeURIComponent(id)}`;
  const approval = useLoad<Approval>(path);
  const { data } = approval;
  return (
    <>
      <Path to="/console/work/approvals">Approvals</Path>
      {approval.problem ? (
        <ProblemNote problem={approval.problem} onRetry={approval.reload} />
      ) : null}
      {data === undefined && approval.loading ? <Skeleton lines={6} /> : null}
      {data ? (
        <>
          <Title>{data.kind === "tool" ? `Call ${data.name}?` : `Did ${data.name} happen?`}</Title>
          <Asked of={data} />
          {data.status === "pending" && can("approvals:decide") ? (
            <Decide of={data} path={path} list={approval} />
          ) : null}
          <Said votes={data.votes} of={data} />
        </>
      ) : null}
    </>
  );
}

function Asked({ of }: { readonly of: Approval }) {
  const { deciders, quorum } = of.rule;
  const whom = deciders ? [...deciders.users, ...deciders.roles].join(", ") : "";
  return (
    <>
      {of.kind === "effect" ? (
        <p>
          The call was sent and no answer came. Look at the far side, then say whether it took
          effect.
        </p>
      ) : null}
      <Facts
        facts={[
          [
            "State",
            <span key="state" className={`state is-${of.status}`}>
              {STATES[of.status]}
            </span>,
          ],
          ["Agent", `${of.agent} v${of.version}, ${of.environment}`],
          [
            "Invocation",
            <Link key="run" to={`/console/invocations/${of.invocation_id}`}>
              Open the run
            </Link>,
          ],
          ["May cost", of.cost_micros === null ? "unknown" : costText(of.cost_micros)],
          ["Until", <When key="until" at={of.expires_at} />],
          ["Then", EXPIRIES[of.rule.on_expiry]],
          ["Needed", quorum === 1 ? "one approval" : `${quorum} approvals of different people`],
          ...(whom === "" ? [] : [["By", whom] as const]),
        ]}
      />
      <h2>Arguments</h2>
      <pre>{prettyText(of.arguments)}</pre>
    </>
  );
}

const STATES: Readonly<Record<ApprovalStatus, string>> = {
  pending: "waits",
  approved: "approved",
  rejected: "rejected",
  happened: "happened",
  expired: "expired",
  cancelled: "cancelled",
};

const EXPIRIES: Readonly<Record<Approval["rule"]["on_expiry"], string>> = {
  reject: "it is rejected",
  approve: "it is approved",
  fail: "the run fails",
};

/** What exactly is decided about goes with the decision: had it changed, the server would refuse. */
function Decide(props: {
  readonly of: Approval;
  readonly path: string;
  readonly list: Loaded<Approval>;
}) {
  const { of, path, list } = props;
  const doing = useDoing();
  const effect = of.kind === "effect";
  const editable = !effect && of.rule.editable;
  const decide = async (form: FormData): Promise<void> => {
    const action = textIn(form, "action") ?? "approve";
    const reason = textIn(form, "reason");
    const edited = action === "approve" && editable ? editedIn(form, of.arguments) : undefined;
    const json = {
      digest: of.digest,
      ...(reason === undefined ? {} : { reason }),
      ...(edited === undefined ? {} : { arguments: edited }),
      ...(action === "happened" ? { result: textIn(form, "result") ?? "" } : {}),
    };
    const decided = await askJson<Approval>(`${path}/${action}`, { method: "POST", json });
    list.reload();
    if (decided.status !== "pending") navigate("/console/work/approvals");
  };
  return (
    <Form
      className="form card"
      doing={doing}
      submit={effect ? "Send it again" : "Approve"}
      onSubmit={decide}
      others={effect ? EFFECT_VERDICTS : TOOL_VERDICTS}
    >
      <h2>Decide</h2>
      {editable ? (
        <TextArea
          label="Call it with"
          name="arguments"
          rows={6}
          defaultValue={prettyText(of.arguments)}
          hint="Change them to approve another call than the one that was asked for."
          doing={doing}
        />
      ) : null}
      {effect ? (
        <TextArea
          label="What it gave"
          name="result"
          rows={3}
          hint="If it happened: what the model is told."
          doing={doing}
        />
      ) : null}
      <Field
        label="Reason"
        name="reason"
        maxLength={1000}
        doing={doing}
        hint="The model reads why a call was rejected."
      />
    </Form>
  );
}

const TOOL_VERDICTS = [{ action: "reject", label: "Reject", danger: true }];
const EFFECT_VERDICTS = [
  { action: "happened", label: "It happened" },
  { action: "reject", label: "It did not happen" },
];

/** Undefined when they were left as asked. @throws ApiProblem for what is no JSON */
function editedIn(form: FormData, asked: unknown): unknown {
  const text = textIn(form, "arguments") ?? "{}";
  try {
    const edited: unknown = JSON.parse(text);
    return JSON.stringify(edited) === JSON.stringify(asked) ? undefined : edited;
  } catch {
    const errors = [{ pointer: "/arguments", detail: "not JSON" }];
    throw new ApiProblem({ title: "Not sent", status: 0, code: "page_refused", errors });
  }
}

function Said({ votes, of }: { readonly votes: readonly Vote[]; readonly of: Approval }) {
  if (votes.length === 0 && of.decision === null) return null;
  return (
    <>
      <h2>What was said</h2>
      <ul className="rows">
        {votes.map((vote) => (
          <li key={vote.by + vote.at}>
            <Row
              name={vote.by}
              state={vote.verdict}
              about={
                <>
                  <When at={vote.at} />
                  {vote.reason ? ` – ${vote.reason}` : ""}
                </>
              }
            />
          </li>
        ))}
      </ul>
      {of.decision?.arguments === undefined ? null : (
        <>
          <h2>Called with</h2>
          <pre>{prettyText(of.decision.arguments)}</pre>
        </>
      )}
      {of.decision?.result === undefined ? null : (
        <>
          <h2>It gave</h2>
          <pre>{of.decision.result}</pre>
        </>
      )}
    </>
  );
}
