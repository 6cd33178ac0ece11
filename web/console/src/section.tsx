import type { ReactNode } from "react";
import { Link, Title } from "./parts.tsx";
import type { SignedIn } from "./wire.ts";

/** What a page of a section is given. */
export type PageProps = {
  readonly me: SignedIn;
  /** One thing of the page, when the address names one. */
  readonly id: string | undefined;
  readonly can: (scope: string) => boolean;
};

/** A page in a section's menu. */
export type Entry<P extends string> = {
  readonly page: P;
  readonly name: string;
  /** Absent: for everybody who is signed in. */
  readonly scope?: string;
  readonly show: (props: PageProps) => ReactNode;
};

/** Pages beside a menu. What a principal may not read is not offered; the server decides. */
export function Section<P extends string>(props: {
  readonly name: string;
  /** Where its pages are: `/console/settings`. */
  readonly base: string;
  /** In the order of the menu. */
  readonly entries: readonly Entry<P>[];
  readonly me: SignedIn;
  /** Undefined: the first that may be seen. */
  readonly page: P | undefined;
  readonly id: string | undefined;
}) {
  const { me, id, base } = props;
  const can = (scope: string) => me.principal.scopes.includes(scope);
  const entries = props.entries.filter(({ scope }) => scope === undefined || can(scope));
  const entry =
    props.page === undefined ? entries[0] : entries.find((one) => one.page === props.page);
  // On a narrow screen the menu is a strip: what is shown is in sight in it.
  const menu = (nav: HTMLElement | null) =>
    nav?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  return (
    <div className="settings">
      <nav ref={menu} aria-label={props.name} className="menu">
        {entries.map((one) => (
          <Link
            key={one.page}
            to={`${base}/${one.page}`}
            current={one.page === entry?.page ? "page" : undefined}
          >
            {one.name}
          </Link>
        ))}
      </nav>
      {entry ? (
        <section className="page" key={`${entry.page} ${id ?? ""}`}>
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
