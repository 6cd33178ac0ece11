import { useEffect, useState, type ReactNode } from "react";
import { ask } from "./api.ts";
import { Field, Form, textIn, useDoing, type Doing } from "./form.tsx";
import { Link, Mark } from "./parts.tsx";
import type { LinkPage } from "./route.ts";

/** Where links of mails lead, and what is asked before anybody is signed in. */
export function LinkScreen(props: { readonly page: LinkPage; readonly onSignedIn: () => void }) {
  switch (props.page) {
    case "invitation":
      return <Invitation onSignedIn={props.onSignedIn} />;
    case "verify":
      return <Verify />;
    case "reset":
      return <Reset onSignedIn={props.onSignedIn} />;
    case "forgot":
      return <Forgot />;
    case "register":
    default:
      return <Register />;
  }
}

/** The token of the address, once: it is taken out of the bar, so that no history keeps it. */
function useToken(): string {
  const [token] = useState(() => new URLSearchParams(location.hash.slice(1)).get("token") ?? "");
  useEffect(() => {
    if (location.hash !== "") history.replaceState(null, "", location.pathname);
  }, []);
  return token;
}

function Lone({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · Berth`;
  }, [title]);
  return (
    <main className="lone">
      <div className="sign-in">
        <p className="wordmark">
          <Mark />
          <span>Berth</span>
        </p>
        <h1>{title}</h1>
        {children}
        <p className="note">
          <Link to="/console">Sign in</Link>
        </p>
      </div>
    </main>
  );
}

function NewPassword({ doing }: { readonly doing: Doing }) {
  return (
    <Field
      label="Password"
      name="password"
      type="password"
      autoComplete="new-password"
      minLength={8}
      required
      doing={doing}
      hint="At least 8 characters; a sentence is good."
    />
  );
}

function Invitation({ onSignedIn }: { readonly onSignedIn: () => void }) {
  const token = useToken();
  const doing = useDoing();
  return (
    <Lone title={`Join ${location.hostname}`}>
      <Form
        doing={doing}
        submit="Join"
        onSubmit={async (form) => {
          const json = { token, name: textIn(form, "name"), password: form.get("password") };
          await ask("/auth/invitations/accept", { method: "POST", json });
          onSignedIn();
        }}
      >
        <Field label="Your name" name="name" autoComplete="name" required focused doing={doing} />
        <NewPassword doing={doing} />
      </Form>
    </Lone>
  );
}

function Reset({ onSignedIn }: { readonly onSignedIn: () => void }) {
  const token = useToken();
  const doing = useDoing();
  return (
    <Lone title="Choose a new password">
      <Form
        doing={doing}
        submit="Change the password"
        onSubmit={async (form) => {
          const json = { token, password: form.get("password") };
          await ask("/auth/password/reset", { method: "POST", json });
          onSignedIn();
        }}
      >
        <NewPassword doing={doing} />
      </Form>
    </Lone>
  );
}

/** A press, not the visit, confirms: what opens links ahead of people must not use them up. */
function Verify() {
  const token = useToken();
  const doing = useDoing();
  const [done, setDone] = useState(false);
  return (
    <Lone title="Confirm the address">
      {done ? (
        <output>It is confirmed. You can sign in now.</output>
      ) : (
        <Form
          doing={doing}
          submit="Confirm"
          onSubmit={async () => {
            await ask("/auth/verify", { method: "POST", json: { token } });
            setDone(true);
          }}
        >
          <p>This e-mail address is mine.</p>
        </Form>
      )}
    </Lone>
  );
}

function Forgot() {
  const doing = useDoing();
  const [sent, setSent] = useState(false);
  return (
    <Lone title="New password">
      {sent ? (
        <output>If the address has an account here, a mail is on its way to it.</output>
      ) : (
        <Form
          doing={doing}
          submit="Send the link"
          onSubmit={async (form) => {
            const json = { email: form.get("email") };
            await ask("/auth/password/forgot", { method: "POST", json });
            setSent(true);
          }}
        >
          <Field
            label="E-mail"
            name="email"
            type="email"
            autoComplete="username"
            required
            focused
            doing={doing}
          />
        </Form>
      )}
    </Lone>
  );
}

function Register() {
  const doing = useDoing();
  const [sent, setSent] = useState(false);
  return (
    <Lone title={`Register at ${location.hostname}`}>
      {sent ? (
        <output>If you may register, a mail is on its way: open the link in it.</output>
      ) : (
        <Form
          doing={doing}
          submit="Register"
          onSubmit={async (form) => {
            const json = {
              name: textIn(form, "name"),
              email: form.get("email"),
              password: form.get("password"),
            };
            await ask("/auth/register", { method: "POST", json });
            setSent(true);
          }}
        >
          <Field label="Name" name="name" autoComplete="name" required focused doing={doing} />
          <Field
            label="E-mail"
            name="email"
            type="email"
            autoComplete="username"
            required
            doing={doing}
          />
          <NewPassword doing={doing} />
        </Form>
      )}
    </Lone>
  );
}
