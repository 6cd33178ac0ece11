import { ask } from "../api.ts";
import { Field, Form, textIn, useDoing } from "../form.tsx";
import { Title } from "../parts.tsx";
import { navigate } from "../route.ts";
import type { PageProps } from "../section.tsx";
import type { SignedIn } from "../wire.ts";

/** Who is signed in; for a user also name, password and every session. */
export function AccountPage({ me }: PageProps) {
  const { user, principal } = me;
  return (
    <>
      <Title>Account</Title>
      {user === null ? (
        <p>
          Signed in by the API key <code>{principal.id}</code>. It ends when you sign out, or with
          the key.
        </p>
      ) : (
        <>
          <ProfileForm user={user} />
          <PasswordForm />
          <EverywhereForm />
        </>
      )}
    </>
  );
}

type User = Exclude<SignedIn["user"], null>;

function ProfileForm({ user }: { readonly user: User }) {
  const doing = useDoing();
  return (
    <Form
      doing={doing}
      submit="Save"
      onSubmit={async (form) => {
        const json = { name: textIn(form, "name") };
        await ask("/v1/users/me", { method: "PUT", json, revision: user.revision });
        location.reload();
      }}
    >
      <h2>Profile</h2>
      <Field label="E-mail" name="email" value={user.email} readOnly />
      <Field label="Name" name="name" defaultValue={user.name} required doing={doing} />
    </Form>
  );
}

function PasswordForm() {
  const doing = useDoing();
  return (
    <Form
      doing={doing}
      submit="Change the password"
      onSubmit={async (form, element) => {
        const json = {
          current_password: form.get("current_password"),
          new_password: form.get("new_password"),
        };
        await ask("/v1/users/me/password", { method: "PUT", json });
        element.reset();
        location.reload();
      }}
    >
      <h2>Password</h2>
      <Field
        label="Password now"
        name="current_password"
        type="password"
        autoComplete="current-password"
        required
        doing={doing}
      />
      <Field
        label="New password"
        name="new_password"
        type="password"
        autoComplete="new-password"
        minLength={8}
        required
        doing={doing}
        hint="Every other session of yours ends."
      />
    </Form>
  );
}

function EverywhereForm() {
  const doing = useDoing();
  return (
    <Form
      doing={doing}
      submit="Sign out everywhere"
      danger
      onSubmit={async () => {
        await ask("/auth/logout-all", { method: "POST" });
        navigate("/console");
        location.reload();
      }}
    >
      <h2>Sessions</h2>
      <p>Ends every session and token of yours, on every device, this one too.</p>
    </Form>
  );
}
