import { useSyncExternalStore } from "react";

/** What the address bar asks for. `/a/{agent}` is the agent's own address and means: talk to it. */
export type Route =
  | { readonly screen: "agents" | "missing" }
  | { readonly screen: "talk"; readonly agent: string; readonly query: URLSearchParams }
  | { readonly screen: "health"; readonly agent: string }
  | { readonly screen: "invocations"; readonly agent: string; readonly query: URLSearchParams }
  /** `compare`: another one, to be seen beside it. */
  | { readonly screen: "invocation"; readonly id: string; readonly compare: string | null }
  /** A page about the tenant or its people; `id` is one thing of it. */
  | { readonly screen: "settings"; readonly page: SettingsPage; readonly id: string | undefined }
  /** A page about work that is under way or planned; without a name, the first there is. */
  | {
      readonly screen: "work";
      readonly page: WorkPage | undefined;
      readonly id: string | undefined;
    }
  /** Where a link in a mail leads; its token is behind the #. */
  | { readonly screen: "link"; readonly page: LinkPage };

export const SETTINGS_PAGES = [
  "account",
  "members",
  "roles",
  "keys",
  "clients",
  "sso",
  "secrets",
  "hostnames",
  "branding",
  "audit",
  "tenant",
] as const;
export type SettingsPage = (typeof SETTINGS_PAGES)[number];

export const WORK_PAGES = [
  "approvals",
  "dead-letters",
  "batches",
  "schedules",
  "triggers",
  "memories",
  "budgets",
] as const;
export type WorkPage = (typeof WORK_PAGES)[number];

export const LINK_PAGES = ["invitation", "verify", "reset", "forgot", "register"] as const;
export type LinkPage = (typeof LINK_PAGES)[number];

export function parseRoute(address: string): Route {
  const url = new URL(address, "http://console.invalid");
  const [, first, second, third, fourth, ...more] = url.pathname.replace(/\/+$/, "").split("/");
  const query = url.searchParams;
  if (first === undefined || first === "" || (first === "console" && second === undefined)) {
    return { screen: "agents" };
  }
  if (first === "a" && second && third === undefined)
    return { screen: "talk", agent: second, query };
  if (first !== "console" || more.length > 0) return { screen: "missing" };
  if (third === undefined) {
    const page = LINK_PAGES.find((name) => name === second);
    if (page !== undefined) return { screen: "link", page };
    if (second === "work") return { screen: "work", page: undefined, id: undefined };
    return second === "settings" ? settingsRoute("account", undefined) : { screen: "missing" };
  }
  if (second === "settings") return settingsRoute(third, fourth);
  if (second === "work") return workRoute(third, fourth);
  if (second === "invocations" && fourth === undefined) {
    return { screen: "invocation", id: third, compare: query.get("compare") };
  }
  if (second !== "agents") return { screen: "missing" };
  if (fourth === undefined) return { screen: "talk", agent: third, query };
  if (fourth === "health") return { screen: "health", agent: third };
  return fourth === "invocations"
    ? { screen: "invocations", agent: third, query }
    : { screen: "missing" };
}

function settingsRoute(name: string | undefined, id: string | undefined): Route {
  const page = SETTINGS_PAGES.find((one) => one === name);
  return page === undefined ? { screen: "missing" } : { screen: "settings", page, id };
}

function workRoute(name: string, id: string | undefined): Route {
  const page = WORK_PAGES.find((one) => one === name);
  return page === undefined ? { screen: "missing" } : { screen: "work", page, id };
}

/** What an entry of the history remembers over a reload: ids alone, never content. */
type Remembered = { readonly invocations: readonly string[] };

/** Go to an address of the console without loading the page again. */
export function navigate(address: string, how: { readonly replace?: Remembered } = {}): void {
  if (how.replace) history.replaceState(how.replace, "", address);
  else history.pushState(null, "", address);
  dispatchEvent(new PopStateEvent("popstate"));
}

const listen = (changed: () => void) => {
  addEventListener("popstate", changed);
  return () => removeEventListener("popstate", changed);
};

export function useAddress(): string {
  return useSyncExternalStore(listen, () => location.pathname + location.search);
}

/** The invocations accepted on this entry of the history, oldest first. */
export function rememberedInvocations(): readonly string[] {
  // Only `navigate` writes it; another release of the page may have written another form.
  const state = history.state as Partial<Remembered> | null;
  return Array.isArray(state?.invocations) ? state.invocations : [];
}
