/** /.well-known/oauth-authorization-server — where and how tokens are had here. @source RFC 8414 */
import { z } from "zod";
import { TENANT_SCOPES } from "../../core/principals/contract.ts";
import { answers, newRoutes, open } from "../edge/routes.ts";

const Metadata = z.object({
  issuer: z.string(),
  token_endpoint: z.string(),
  jwks_uri: z.string(),
  revocation_endpoint: z.string(),
  scopes_supported: z.array(z.string()),
  response_types_supported: z.array(z.string()),
  grant_types_supported: z.array(z.string()),
  token_endpoint_auth_methods_supported: z.array(z.string()),
  revocation_endpoint_auth_methods_supported: z.array(z.string()),
  service_documentation: z.string(),
});

export const metadata = newRoutes().get(
  "/oauth-authorization-server",
  open("How tokens are had at this host"),
  answers(200, Metadata, "The document, as RFC 8414 has it."),
  (c) => {
    const issuer = c.get("origin");
    const document: z.infer<typeof Metadata> = {
      issuer,
      token_endpoint: `${issuer}/auth/token`,
      jwks_uri: `${issuer}/.well-known/jwks.json`,
      revocation_endpoint: `${issuer}/auth/revoke`,
      scopes_supported: [...TENANT_SCOPES],
      response_types_supported: [],
      grant_types_supported: ["client_credentials", "refresh_token", "password"],
      token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post", "none"],
      revocation_endpoint_auth_methods_supported: ["none"],
      service_documentation: `${issuer}/docs`,
    };
    return c.json(document, 200, { "cache-control": "public, max-age=300" });
  },
);
