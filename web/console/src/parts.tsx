import {
  useEffect,
  useRef,
  useState,
  useSyncExternalStore,
  type MouseEvent,
  type ReactNode,
} from "react";
import type { InvocationStatus } from "../../../core/invocations/contract.ts";
import type { ApiProblem } from "./api.ts";
import { fullTimeText, whenText } from "./format.ts";
import { navigate } from "./route.ts";

/** A link inside the console; with a modifier or another button it is an ordinary one. */
export function Link(props: {
  readonly to: string;
  readonly className?: string;
  readonly current?: "page" | "true" | undefined;
  readonly children: ReactNode;
}) {
  const follow = (e: MouseEvent) => {
    if (e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
    e.preventDefault();
    navigate(props.to);
  };
  return (
    <a href={props.to} className={props.className} aria-current={props.current} onClick={follow}>
      {props.children}
    </a>
  );
}

/** The heading of a screen: names the document, and takes the focus when the screen changes. */
export function Title(props: { readonly children: string; readonly focused?: boolean }) {
  const heading = useRef<HTMLHeadingElement>(null);
  const { children: text, focused = true } = props;
  useEffect(() => {
    document.title = `${text} · Berth`;
    if (focused) heading.current?.focus({ preventScroll: true });
  }, [text, focused]);
  return (
    <h1 ref={heading} tabIndex={-1}>
      {text}
    </h1>
  );
}

/** A vessel in its berth. */
export function Mark() {
  return (
    <svg className="mark" viewBox="0 0 16 16" aria-hidden="true">
      <path
        d="M2.5 3v10.5h11V3"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.7"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
      <path d="M8 2l2.3 2.8v5.4H5.7V4.8z" fill="currentColor" />
    </svg>
  );
}

/** A refusal in words: what, why, where, and the number to quote when asking for help. */
export function ProblemNote(props: {
  readonly problem: ApiProblem;
  readonly id?: string;
  readonly onRetry?: (() => void) | undefined;
}) {
  const { title, detail, errors = [], request_id: requestId } = props.problem.document;
  const { retryAfterS } = props.problem;
  return (
    <div className="problem" role="alert" id={props.id}>
      <p>
        <strong>{title}.</strong> {detail === undefined ? null : sentence(detail)}
        {retryAfterS === undefined ? null : ` Try again in ${retryAfterS} s.`}
      </p>
      {errors.length === 0 ? null : (
        <ul>
          {errors.map((error) => (
            <li key={error.pointer + error.detail}>
              <code>{error.pointer}</code> {error.detail}
            </li>
          ))}
        </ul>
      )}
      {requestId === undefined ? null : <p className="request-id">Request {requestId}</p>}
      {props.onRetry && worthRepeating(props.problem) ? (
        <button type="button" onClick={props.onRetry}>
          Try again
        </button>
      ) : null}
    </div>
  );
}

/** A status as a shape and a word; the colour only repeats them. */
export function Status({ status }: { readonly status: InvocationStatus | "sending" }) {
  return (
    <span className={`status is-${status}`}>
      <svg viewBox="0 0 10 10" aria-hidden="true">
        {SHAPES[status]}
      </svg>
      {status}
    </span>
  );
}

const open = <circle cx="5" cy="5" r="3.4" fill="none" stroke="currentColor" strokeWidth="1.6" />;
const cross = (
  <path d="M2 2l6 6M8 2L2 8" stroke="currentColor" strokeWidth="1.8" strokeLinecap="round" />
);
const SHAPES: Record<InvocationStatus | "sending", ReactNode> = {
  sending: open,
  accepted: open,
  running: <circle cx="5" cy="5" r="4" fill="currentColor" />,
  waiting: <path d="M3 1.5v7M7 1.5v7" stroke="currentColor" strokeWidth="1.8" />,
  succeeded: (
    <path
      d="M1.5 5.5L4 8l4.5-6"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.8"
      strokeLinecap="round"
    />
  ),
  failed: cross,
  dead: cross,
  cancelled: <path d="M1.5 5h7" stroke="currentColor" strokeWidth="1.8" strokeLinecap="round" />,
};

const eachMinute = (tell: () => void) => {
  const timer = setInterval(tell, 60_000);
  return () => clearInterval(timer);
};

/** The time to the minute, in epoch ms. */
function useMinute(): number {
  return useSyncExternalStore(eachMinute, () => Math.floor(Date.now() / 60_000) * 60_000);
}

export function When({ at }: { readonly at: string }) {
  const nowMs = useMinute();
  return (
    <time dateTime={at} title={fullTimeText(at)}>
      {whenText(at, nowMs)}
    </time>
  );
}

/** An id or a text in a frame, with a button that copies it. */
export function CopyButton({ text, label }: { readonly text: string; readonly label: string }) {
  const [copied, setCopied] = useState(false);
  const copy = () => {
    // Absent on plain-http hosts other than loopback, and refusable anywhere: then nothing is said.
    void navigator.clipboard?.writeText(text).then(
      () => setCopied(true),
      () => setCopied(false),
    );
  };
  return (
    <button type="button" className="quiet copy" aria-label={label} onClick={copy}>
      {copied ? "Copied" : "Copy"}
    </button>
  );
}

/** Grey lines where content will stand. */
export function Skeleton({ lines = 3 }: { readonly lines?: number }) {
  return (
    <div className="skeleton">
      <output className="sr-only">Loading…</output>
      {Array.from({ length: lines }, (_, line) => (
        <span key={line} aria-hidden="true" />
      ))}
    </div>
  );
}

/** A miss or a refusal stays one; only trouble and haste pass. */
function worthRepeating({ document }: ApiProblem): boolean {
  return document.status === 0 || document.status === 429 || document.status >= 500;
}

/** "the agent is gone" → "The agent is gone." */
export function sentence(text: string): string {
  const [first = ""] = text;
  const end = /[.!?…]$/.test(text) ? "" : ".";
  return first.toUpperCase() + text.slice(1) + end;
}
