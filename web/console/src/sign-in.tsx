import { useEffect, useState } from "react";
import { ask } from "./api.ts";
import { Field, Form, textIn, useDoing } from "./form.tsx";
import { useLoad } from "./load.ts";
import { Link, Mark } from "./parts.tsx";

type Way = { readonly slug: string; readonly name: string };

/**
 * Makes a cookie session: by password, by the organisation's own sign-in, or from an API key.
 *
 * What is typed lives in the inputs alone: no state, no storage; it goes away with the form.
 */
export function SignIn({ onSignedIn }: { readonly onSignedIn: () => void }) {
  const [byKey, setByKey] = useState(false);
  const ways = useLoad<{ readonly data: readonly Way[] }>("/auth/connections");
  useEffect(() => {
    document.title = "Sign in · Berth";
  }, []);
  return (
    <main className="lone">
      <div className="sign-in">
        <p className="wordmark">
          <Mark />
          <span>Berth</span>
        </p>
        <h1>Sign in to {location.hostname}</h1>
        {byKey ? <KeyForm onSignedIn={onSignedIn} /> : <PasswordForm onSignedIn={onSignedIn} />}
        {(ways.data?.data ?? []).map((way) => (
          <a key={way.slug} className="button" href={startOf(way)}>
            Continue with {way.name}
          </a>
        ))}
        <button type="button" className="quiet" onClick={() => setByKey(!byKey)}>
          {byKey ? "Use e-mail and password" : "Use an API key"}
        </button>
        <p className="note">
          <Link to="/console/forgot">Forgotten the password?</Link>{" "}
          <Link to="/console/register">Register</Link>
        </p>
      </div>
    </main>
  );
}

/** Back to where the visitor was going. */
function startOf({ slug }: Way): string {
  const back = encodeURIComponent(location.pathname + location.search);
  return `/auth/oidc/${encodeURIComponent(slug)}/start?return_to=${back}`;
}

function PasswordForm({ onSignedIn }: { readonly onSignedIn: () => void }) {
  const doing = useDoing();
  return (
    <Form
      className="form"
      doing={doing}
      submit="Sign in"
      onSubmit={async (form, element) => {
        const json = { email: form.get("email"), password: form.get("password") };
        await ask("/auth/login", { method: "POST", json });
        element.reset();
        onSignedIn();
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
      <Field
        label="Password"
        name="password"
        type="password"
        autoComplete="current-password"
        required
        doing={doing}
      />
    </Form>
  );
}

function KeyForm({ onSignedIn }: { readonly onSignedIn: () => void }) {
  const doing = useDoing();
  return (
    <Form
      className="form"
      doing={doing}
      submit="Sign in"
      onSubmit={async (data, element) => {
        const key = textIn(data, "key");
        const asked = ask("/auth/session", { method: "POST", json: { key } });
        asked.catch(() => element.querySelector("input")?.select()); // to be typed over
        await asked;
        element.reset();
        onSignedIn();
      }}
    >
      <Field
        label="API key"
        name="key"
        type="password"
        required
        focused
        autoComplete="off"
        autoCapitalize="off"
        spellCheck={false}
        placeholder="berth_live_…"
        doing={doing}
        hint="Exchanged at once for a session cookie; the key itself is not kept in this browser."
      />
    </Form>
  );
}
