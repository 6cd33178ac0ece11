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
import type { SettingsPage } from "./route.ts";
import { Section, type Entry } from "./section.tsx";
import type { SignedIn } from "./wire.ts";

const ENTRIES: readonly Entry<SettingsPage>[] = [
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
  return <Section name="Settings" base="/console/settings" entries={ENTRIES} {...props} />;
}
