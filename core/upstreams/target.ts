/**
 * The address a path below an upstream's base stands for.
 *
 * @param path  Begins with `/`, and brings its own query.
 * @returns     Undefined when it would leave the base: another host, or out of its folder.
 */
export function targetOf(base: string, path: string): URL | undefined {
  const root = new URL(base);
  const folder = root.pathname.replace(/\/+$/, "");
  const target = parsed(`${root.origin}${folder}${path}`);
  if (target === undefined || target.origin !== root.origin) return undefined;
  const inside = target.pathname === folder || target.pathname.startsWith(`${folder}/`);
  return inside && !climbs(target.pathname) ? target : undefined;
}

/** Would a far side that decodes the path before it splits it go up? */
function climbs(pathname: string): boolean {
  const read = pathname.replaceAll(/%2f|%5c|\\/gi, "/").replaceAll(/%2e/gi, ".");
  return /\/\.\.(?:\/|$)/.test(read);
}

/** The path below the base that this address of the upstream is; undefined when it is none. */
export function pathBelow(base: string, target: URL): string | undefined {
  const root = new URL(base);
  const folder = root.pathname.replace(/\/+$/, "");
  if (target.origin !== root.origin || !target.pathname.startsWith(`${folder}/`)) return undefined;
  return `${target.pathname.slice(folder.length)}${target.search}`;
}

function parsed(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}
