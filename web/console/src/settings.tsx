import type { ReactNode } from "react";
import { AccountPage } from "./settings/account.tsx";
import { AuditPage } from "./settings/audit.tsx";
import { BrandingPage } from "./settings/branding.tsx";
import { ClientsPage } from "./settings/clients.tsx";
import { HostnamesPage } from "./settings/hostnames.tsx";
import { KeysPage } from "./settings/keys.tsx";
import { MembersPage } from "./settings/members.tsx";
import { RolesPage } from "./settings/roles.tsx";
import { SecretsPage } from "./settings/secrets.tsx";
import { SsoPage } from "./settings/sso.tsx";
import { TenantPage } from "./settings/tenant.tsx";
import { Link, Title } from "./parts.tsx";
import type { SettingsPage } from "./route.ts";
import type { SignedIn } from "./wire.ts";

/** What a page of the settings is given. */
export type PageProps = {
  readonly me: SignedIn;
  /** One thing of the page, when the address names one. */
  readonly id: string | undefined;
  readonly can: (scope: string) => boolean;
};

type Entry = {
  readonly page: SettingsPage;
  readonly name: string;
  /** Absent: for everybody who is signed in. */
  readonly scope?: string;
  readonly show: (props: PageProps) => ReactNode;
};

/** In the order of the menu. What a principal may not read is not offered; the server decides. */
const ENTRIES: readonly Entry[] = [
  { page: "account", name: "Account", show: (props) => <AccountPage {...props} /> },
  {
    page: "members",
    name: "Members",
    scope: "members:read",
    show: (props) => <MembersPage {...props} />,
  },
  { page: "roles", name: "Roles", scope: "roles:read", show: (props) => <RolesPage {...props} /> },
  { page: "keys", name: "API keys", scope: "keys:read", show: (props) => <KeysPage {...props} /> },
  {
    page: "clients",
    name: "App clients",
    scope: "clients:read",
    show: (props) => <ClientsPage {...props} />,
  },
  {
    page: "sso",
    name: "Single sign-on",
    scope: "issuers:read",
    show: (props) => <SsoPage {...props} />,
  },
  {
    page: "secrets",
    name: "Secrets",
    scope: "secrets:read",
    show: (props) => <SecretsPage {...props} />,
  },
  {
    page: "hostnames",
    name: "Hostnames",
    scope: "hostnames:read",
    show: (props) => <HostnamesPage {...props} />,
  },
  {
    page: "branding",
    name: "Branding",
    scope: "tenant:read",
    show: (props) => <BrandingPage {...props} />,
  },
  { page: "audit", name: "Audit", scope: "audit:read", show: (props) => <AuditPage {...props} /> },
  {
    page: "tenant",
    name: "Tenant",
    scope: "tenant:read",
    show: (props) => <TenantPage {...props} />,
  },
];

export function SettingsScreen(props: {
  readonly me: SignedIn;
  readonly page: SettingsPage;
  readonly id: string | undefined;
}) {
  const { me, page, id } = props;
  const can = (scope: string) => me.principal.scopes.includes(scope);
  const entries = ENTRIES.filter(({ scope }) => scope === undefined || can(scope));
  const entry = entries.find((one) => one.page === page);
  return (
    <div className="settings">
      <nav aria-label="Settings" className="menu">
        {entries.map((one) => (
          <Link
            key={one.page}
            to={`/console/settings/${one.page}`}
            current={one.page === page ? "page" : undefined}
          >
            {one.name}
          </Link>
        ))}
      </nav>
      {entry ? (
        <section className="page" key={`${page} ${id ?? ""}`}>
          {entry.show({ me, id, can })}
        </section>
      ) : (
        <section className="page">
          <Title>Not for you</Title>
          <p>Whoever you are signed in as may not see this page. Ask an administrator.</p>
        </section>
      )}
    </div>
  );
}
