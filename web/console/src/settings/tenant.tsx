import { useState } from "react";
import type { Erasure } from "../../../../core/erasure/contract.ts";
import type { Tenant } from "../../../../core/tenants/contract.ts";
import { ask, askJson } from "../api.ts";
import { Choice, Confirm, Field, Form, textIn, useDoing } from "../form.tsx";
import { useLoad, type Loaded } from "../load.ts";
import { ProblemNote, Skeleton, Title } from "../parts.tsx";
import type { PageProps } from "../section.tsx";
import { ContentSettings } from "./content.tsx";
import { Facts } from "./listing.tsx";

type Quotas = {
  readonly tier: string | null;
  readonly quotas: readonly {
    readonly noun: string;
    readonly used: number;
    readonly allowed: number | null;
  }[];
};

/** The tenant itself: what it is called, what it uses of what it may, and how it leaves. */
export function TenantPage({ can }: PageProps) {
  const tenant = useLoad<Tenant>("/v1/tenant");
  if (tenant.problem) return <ProblemNote problem={tenant.problem} onRetry={tenant.reload} />;
  if (tenant.data === undefined) return <Skeleton lines={6} />;
  return (
    <>
      <Title>Tenant</Title>
      <Facts
        facts={[
          ["Id", tenant.data.id],
          ["Slug", tenant.data.slug],
          ["Status", tenant.data.status],
          ["Tier", tenant.data.tier ?? "–"],
        ]}
      />
      {can("tenant:write") ? <Settings tenant={tenant.data} loaded={tenant} /> : null}
      <ContentSettings writes={can("tenant:write")} />
      <QuotaTable />
      {can("tenant:export") || can("tenant:erase") ? (
        <DangerZone tenant={tenant.data} can={can} />
      ) : null}
    </>
  );
}

function Settings(props: { readonly tenant: Tenant; readonly loaded: Loaded<Tenant> }) {
  const { tenant, loaded } = props;
  const doing = useDoing();
  return (
    <Form
      doing={doing}
      submit="Save"
      onSubmit={async (form) => {
        const json = {
          name: textIn(form, "name"),
          registration: form.get("registration"),
          default_role: form.get("default_role"),
        };
        await ask("/v1/tenant", { method: "PATCH", json, revision: tenant.revision });
        loaded.reload();
      }}
    >
      <h2>Settings</h2>
      <Field label="Name" name="name" defaultValue={tenant.name} required doing={doing} />
      <div className="pair">
        <Choice
          label="Who may register"
          name="registration"
          value={tenant.registration}
          options={[
            ["closed", "invited people only"],
            ["open", "anybody"],
          ]}
        />
        <Choice
          label="Role of who registered"
          name="default_role"
          value={tenant.default_role}
          options={["viewer", "invoker", "auditor", "operator", "developer"].map(
            (role) => [role, role] as const,
          )}
        />
      </div>
    </Form>
  );
}

function QuotaTable() {
  const quotas = useLoad<Quotas>("/v1/tenant/quotas");
  if (quotas.problem) return <ProblemNote problem={quotas.problem} onRetry={quotas.reload} />;
  if (quotas.data === undefined) return <Skeleton lines={2} />;
  return (
    <>
      <h2>Used of what is allowed</h2>
      <div className="scroll">
        <table>
          <tbody>
            {quotas.data.quotas.map(({ noun, used, allowed }) => (
              <tr key={noun}>
                <th scope="row">{noun}</th>
                <td>
                  {used} of {allowed ?? "any number"}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function DangerZone(props: { readonly tenant: Tenant; readonly can: (scope: string) => boolean }) {
  const { tenant, can } = props;
  const [erasing, setErasing] = useState(false);
  const [typed, setTyped] = useState("");
  const [begun, setBegun] = useState<{ readonly erasure: Erasure; readonly status_url: string }>();
  return (
    <section className="danger" aria-labelledby="danger">
      <h2 id="danger">Danger zone</h2>
      {can("tenant:export") ? <Export suspended={tenant.status === "suspended"} /> : null}
      {can("tenant:erase") ? (
        <div className="actions">
          <button type="button" className="stop" onClick={() => setErasing(true)}>
            Erase this tenant…
          </button>
        </div>
      ) : null}
      {begun === undefined ? null : (
        <output>
          Erasure has begun. Follow it, and fetch the signed certificate, at{" "}
          <a href={begun.status_url}>{begun.status_url}</a>.
        </output>
      )}
      {erasing ? (
        <Confirm
          title={`Erase ${tenant.name}?`}
          action="Erase everything"
          onClose={() => setErasing(false)}
          onConfirm={async () => {
            const json = { confirm: typed };
            setBegun(await askJson("/v1/tenant/erase", { method: "POST", json }));
          }}
        >
          <p>
            Every agent, conversation, key and secret goes, for good, in every store. A signed
            certificate says so afterwards.
          </p>
          <Field
            label={`Type ${tenant.slug} to confirm`}
            name="confirm"
            autoComplete="off"
            required
            pattern={tenant.slug}
            onChange={(e) => setTyped(e.target.value)}
          />
        </Confirm>
      ) : null}
    </section>
  );
}

function Export({ suspended }: { readonly suspended: boolean }) {
  const doing = useDoing();
  return (
    <Form
      doing={doing}
      submit="Export to one file"
      onSubmit={async (form) => {
        const passphrase = textIn(form, "passphrase");
        const json = passphrase === undefined ? {} : { passphrase };
        const answer = await ask("/v1/tenant/export", { method: "POST", json });
        save(await answer.blob(), "tenant.ndjson");
      }}
    >
      <p className="note">
        {suspended
          ? "Nothing changes while the tenant is suspended, so the file is whole."
          : "Possible while the tenant is suspended: ask the platform's operator."}
      </p>
      <Field
        label="Passphrase"
        name="passphrase"
        type="password"
        autoComplete="off"
        minLength={12}
        doing={doing}
        hint="Wraps the secrets; without one they stay behind."
      />
    </Form>
  );
}

function save(file: Blob, name: string): void {
  const url = URL.createObjectURL(file);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
