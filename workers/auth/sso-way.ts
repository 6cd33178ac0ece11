/**
 * What binds the way back from a provider to the browser that left for it.
 *
 * The browser's cookie is 256 random bits; state is random too, and nonce and code verifier are made
 * of both. So whoever reads the store has hashes, and whoever sees the address has the state: with
 * neither can a way be gone to its end.
 */
import { newSecret } from "../../core/keys/format.ts";
import type { Binding } from "../../core/sso/flow.ts";
import { sha256 } from "../edge/hash.ts";

const HOST_COOKIE = "__Host-berth-sso";
const LOOPBACK_COOKIE = "berth-sso";
const VALUE = /^[0-9A-Za-z]{43}$/;

/** The browser's value, of this very cookie and once; undefined for none that counts. */
export function browserOf(request: Request, origin: string): string | undefined {
  const name = cookieName(origin);
  const values = (request.headers.get("cookie") ?? "")
    .split(";")
    .map((cookie) => cookie.trim())
    .filter((cookie) => cookie.startsWith(`${name}=`))
    .map((cookie) => cookie.slice(name.length + 1));
  const [value] = values;
  return values.length === 1 && value !== undefined && VALUE.test(value) ? value : undefined;
}

/** A value for a browser that has none. */
export function newBrowser(): string {
  return newSecret();
}

/** `Set-Cookie`; Lax, because the way back begins on the provider's page. */
export function browserCookie(origin: string, value: string, lifetimeMs: number): string {
  const secure = origin.startsWith("https:") ? "; Secure" : "";
  const maxAge = Math.floor(lifetimeMs / 1000);
  return `${cookieName(origin)}=${value}; Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=Lax${secure}`;
}

export function newState(): string {
  return newSecret();
}

export function bindingOf(browser: string, state: string, redirectUri: string): Binding {
  return {
    state,
    redirectUri,
    nonce: sha256(`nonce ${browser} ${state}`),
    codeVerifier: sha256(`verifier ${browser} ${state}`),
  };
}

/** Hashes of a way, under the names its row has. */
export function wayOf(browser: string, state: string, connectionId: string) {
  return { stateHash: sha256(state), browserHash: sha256(browser), connectionId };
}

/**
 * Where to go on this host: an address of ours however `wanted` is spelled, or the front page.
 * Absolute, because a path may begin with two slashes.
 */
export function returnUrl(origin: string, wanted: string | undefined): string {
  const front = `${origin}/`;
  if (wanted === undefined || !wanted.startsWith("/")) return front;
  try {
    const url = new URL(wanted, front);
    return url.origin === origin && url.username === "" ? url.href : front;
  } catch {
    return front;
  }
}

function cookieName(origin: string): string {
  return origin.startsWith("http:") ? LOOPBACK_COOKIE : HOST_COOKIE;
}
