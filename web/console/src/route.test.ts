import { expect, it } from "vitest";
import { parseRoute } from "./route.ts";

it("reads every address of the console, with or without a trailing slash", () => {
  const screens = [
    ["/", "agents"],
    ["/console", "agents"],
    ["/console/", "agents"],
    ["/a/support", "talk"],
    ["/console/agents/support", "talk"],
    ["/console/agents/support/", "talk"],
    ["/console/agents/support/invocations", "invocations"],
    ["/console/agents/support/health", "health"],
    ["/console/invocations/inv_0", "invocation"],
    ["/console/agents", "missing"],
    ["/console/agents/support/other", "missing"],
    ["/console/agents/support/invocations/more", "missing"],
    ["/console/settings", "settings"],
    ["/console/settings/keys", "settings"],
    ["/console/settings/keys/key_0", "settings"],
    ["/console/settings/keys/key_0/more", "missing"],
    ["/console/settings/nothing", "missing"],
    ["/console/work", "work"],
    ["/console/work/approvals", "work"],
    ["/console/work/approvals/apr_0", "work"],
    ["/console/work/approvals/apr_0/more", "missing"],
    ["/console/work/nothing", "missing"],
    ["/console/invitation", "link"],
    ["/console/reset", "link"],
    ["/console/invitation/more", "missing"],
    ["/elsewhere", "missing"],
  ];
  expect(screens.map(([address = ""]) => [address, parseRoute(address).screen])).toEqual(screens);
});

it("keeps the query of a screen that is narrowed by one", () => {
  const route = parseRoute("/console/agents/support?session=ses_1&environment=dev");
  expect(route.screen === "talk" && Object.fromEntries(route.query)).toEqual({
    session: "ses_1",
    environment: "dev",
  });
});
