/** Every route of both hosts, in the order a reader looks for them. */
import { access } from "./api/access.ts";
import { agentTokens } from "./api/agent-tokens.ts";
import { agents } from "./api/agents.ts";
import { agentState } from "./api/agent-state.ts";
import { approvals } from "./api/approvals.ts";
import { audit } from "./api/audit.ts";
import { callbackReplies, callbacks } from "./api/callbacks.ts";
import { clients } from "./api/clients.ts";
import { batches } from "./api/batches.ts";
import { branding } from "./api/branding.ts";
import { deadLetters } from "./api/dead-letters.ts";
import { agentDeployments, deployments } from "./api/deployments.ts";
import { drafts } from "./api/drafts.ts";
import { environments } from "./api/environments.ts";
import { erasures, erasuresOfTenants } from "./api/erasures.ts";
import { hostnames } from "./api/hostnames.ts";
import { invocations } from "./api/invocations.ts";
import { issuers } from "./api/issuers.ts";
import { invitations } from "./api/invitations.ts";
import { keys } from "./api/keys.ts";
import { leaving } from "./api/leaving.ts";
import { knowledge } from "./api/knowledge.ts";
import { members } from "./api/members.ts";
import { memories } from "./api/memories.ts";
import { myAccount } from "./api/my-account.ts";
import { projects } from "./api/projects.ts";
import { providers } from "./api/providers.ts";
import { agentQueues } from "./api/queues.ts";
import { replays } from "./api/replays.ts";
import { assignments, permissions, roles } from "./api/roles.ts";
import { sealing } from "./api/sealing.ts";
import { schedules } from "./api/schedules.ts";
import { secrets } from "./api/secrets.ts";
import { ssoConnections } from "./api/sso.ts";
import { tenant } from "./api/tenant.ts";
import { tenants } from "./api/tenants.ts";
import { transfers, transfersOfTenants } from "./api/transfers.ts";
import { budgets } from "./api/budgets.ts";
import { limits } from "./api/limits.ts";
import { stops } from "./api/stops.ts";
import { triggers } from "./api/triggers.ts";
import { usage } from "./api/usage.ts";
import { users } from "./api/users.ts";
import { wellKnown } from "./auth/jwks.ts";
import { metadata } from "./auth/metadata.ts";
import { login } from "./auth/login.ts";
import { password } from "./auth/password.ts";
import { register } from "./auth/register.ts";
import { session } from "./auth/session.ts";
import { signUp } from "./auth/sign-up.ts";
import { sso } from "./auth/sso.ts";
import { token } from "./auth/token.ts";
import { newApp } from "./edge/app.ts";
import { chainsChanges } from "./jobs/chain.ts";
import { brandingFiles } from "./serve/branding.ts";
import { chat } from "./serve/chat.ts";
import { consolePages } from "./serve/console.ts";
import { docs, platformHome } from "./serve/docs.ts";
import { health } from "./serve/health.ts";
import { invoke } from "./serve/invoke.ts";
import { proxy } from "./serve/proxy.ts";
import { describer, openapi } from "./serve/openapi.ts";
import { tickets } from "./serve/tickets.ts";

export const app = newApp();

const describe = describer(app.routes);

app.platform
  .route("/v1/tenants", transfersOfTenants)
  .route("/v1/tenants", erasuresOfTenants)
  .route("/v1/tenants", tenants)
  .route("/auth", signUp)
  .route("/v1/sealing", sealing)
  .route("/v1/transfers", transfers)
  .route("/v1/erasures", erasures)
  .route("/.well-known", wellKnown)
  .route("/", platformHome)
  .route("/", health)
  .route("/", openapi(describe))
  .route("/", docs(describe));

// What the data plane serves writes no trail, and is not asked to.
app.tenant.use("/v1/*", chainsChanges()).use("/auth/*", chainsChanges());

app.tenant
  .route("/v1/access", access)
  .route("/v1/admin/roles", roles)
  .route("/v1/admin/permissions", permissions)
  .route("/v1/admin/assignments", assignments)
  .route("/v1/agents", agents)
  .route("/v1/agents", agentState)
  .route("/v1/agents", drafts)
  .route("/v1/agents", agentTokens)
  .route("/v1/agents", agentQueues)
  .route("/v1/agents", agentDeployments)
  .route("/v1/assignments", assignments)
  .route("/v1/approvals", approvals)
  .route("/v1/memories", memories)
  .route("/v1/knowledge", knowledge)
  .route("/v1/audit", audit)
  .route("/v1/callbacks", callbacks)
  .route("/callbacks", callbackReplies)
  .route("/v1/budgets", budgets)
  .route("/v1/clients", clients)
  .route("/v1/admin/clients", clients)
  .route("/v1/dead-letters", deadLetters)
  .route("/v1/deployments", deployments)
  .route("/v1/environments", environments)
  .route("/v1/invocations", invocations)
  .route("/v1/invocations", replays)
  .route("/v1/invitations", invitations)
  .route("/v1/issuers", issuers)
  .route("/v1/keys", keys)
  .route("/v1/limits", limits)
  .route("/v1/stops", stops)
  .route("/v1/members", members)
  .route("/v1/projects", projects)
  .route("/v1/providers", providers)
  .route("/v1/roles", roles)
  .route("/v1/schedules", schedules)
  .route("/v1/secrets", secrets)
  .route("/v1/batches", batches)
  .route("/v1/branding", branding)
  .route("/v1/hostnames", hostnames)
  .route("/v1/tenant", tenant)
  .route("/v1/tenant", leaving)
  .route("/v1/sso", ssoConnections)
  .route("/v1/tickets", tickets)
  .route("/v1/triggers", triggers)
  .route("/v1/usage", usage)
  .route("/v1/users", users)
  .route("/v1/users", myAccount)
  .route("/auth", session)
  .route("/auth", login)
  .route("/auth", register)
  .route("/auth", password)
  .route("/auth", token)
  .route("/auth", sso)
  .route("/.well-known", wellKnown)
  .route("/.well-known", metadata)
  .route("/", invoke)
  .route("/", proxy)
  .route("/", chat)
  .route("/", health)
  .route("/", openapi(describe))
  .route("/", docs(describe))
  .route("/", brandingFiles)
  .route("/", consolePages);
