import { useState } from "react";
import type { Branding } from "../../../../core/branding/contract.ts";
import { ask, askJson } from "../api.ts";
import { Field, Form, textIn, useDoing } from "../form.tsx";
import { useLoad, type Loaded } from "../load.ts";
import { ProblemNote, Skeleton, Title } from "../parts.tsx";
import type { PageProps } from "../section.tsx";

const SCHEMES = ["light", "dark"] as const;
const COLOURS = ["accent", "ground", "ink"] as const;
type Colours = { readonly [K in (typeof COLOURS)[number]]?: string | undefined };

/** Name, colours and logo of the tenant's pages, with a look at what they come to. */
export function BrandingPage({ can }: PageProps) {
  const branding = useLoad<Branding>("/v1/branding");
  if (branding.problem) return <ProblemNote problem={branding.problem} onRetry={branding.reload} />;
  if (branding.data === undefined) return <Skeleton lines={5} />;
  const mayWrite = can("tenant:write");
  return (
    <>
      <Title>Branding</Title>
      <Look
        key={branding.data.revision}
        branding={branding.data}
        loaded={branding}
        may={mayWrite}
      />
      <Logo branding={branding.data} loaded={branding} may={mayWrite} />
    </>
  );
}

type Props = {
  readonly branding: Branding;
  readonly loaded: Loaded<Branding>;
  readonly may: boolean;
};

function Look({ branding, loaded, may }: Props) {
  const doing = useDoing();
  const [colours, setColours] = useState({ light: branding.light, dark: branding.dark });
  const [name, setName] = useState(branding.name ?? "");
  return (
    <>
      <div className="previews">
        {SCHEMES.map((scheme) => (
          <Preview key={scheme} scheme={scheme} name={name || "Berth"} colours={colours[scheme]} />
        ))}
      </div>
      <Form
        doing={doing}
        submit={may ? "Save" : undefined}
        onSubmit={async (form) => {
          const json = {
            name: textIn(form, "name") ?? null,
            light: coloursIn(form, "light"),
            dark: coloursIn(form, "dark"),
          };
          await ask("/v1/branding", { method: "PUT", json, revision: branding.revision });
          loaded.reload();
        }}
      >
        <Field
          label="Name"
          name="name"
          value={name}
          readOnly={!may}
          doing={doing}
          onChange={(e) => setName(e.target.value)}
        />
        {SCHEMES.map((scheme) => (
          <fieldset key={scheme} className="pair">
            <legend>Colours when it is {scheme}</legend>
            {COLOURS.map((colour) => (
              <Field
                key={colour}
                label={colour}
                name={`${scheme}.${colour}`}
                pointer={`/${scheme}/${colour}`}
                value={colours[scheme][colour] ?? ""}
                placeholder="#0a6563"
                pattern="#[0-9a-fA-F]{6}"
                readOnly={!may}
                doing={doing}
                onChange={(e) =>
                  setColours({
                    ...colours,
                    [scheme]: { ...colours[scheme], [colour]: e.target.value },
                  })
                }
              />
            ))}
          </fieldset>
        ))}
        <p className="note">
          What is empty stays as it is. Colours that cannot be read on each other are refused.
        </p>
      </Form>
    </>
  );
}

function coloursIn(form: FormData, scheme: string): Colours {
  const chosen = COLOURS.flatMap((colour) => {
    const value = textIn(form, `${scheme}.${colour}`);
    return value === undefined ? [] : [[colour, value] as const];
  });
  return Object.fromEntries(chosen);
}

/** Inline custom properties are set by script, which the content security policy lets be. */
function Preview(props: {
  readonly scheme: string;
  readonly name: string;
  readonly colours: Colours;
}) {
  const { accent, ground, ink } = props.colours;
  const style: Record<string, string> = { colorScheme: props.scheme };
  if (accent) style["--accent"] = accent;
  if (ground) style["--ground"] = ground;
  if (ink) style["--ink"] = ink;
  return (
    <figure
      className={`preview is-${props.scheme}`}
      style={style}
      aria-label={`How it looks when it is ${props.scheme}`}
    >
      <strong>{props.name}</strong>
      <span className="preview-link">A link</span>
      <span className="preview-button">A button</span>
    </figure>
  );
}

function Logo({ branding, loaded, may }: Props) {
  const doing = useDoing();
  const { logo, revision } = branding;
  return (
    <Form
      doing={doing}
      submit={may ? "Set the logo" : undefined}
      onSubmit={async (form) => {
        const file = form.get("logo");
        if (!(file instanceof File) || file.size === 0) return;
        const body = { bytes: file, type: file.type };
        await askJson<Branding>("/v1/branding/logo", { method: "PUT", body, revision });
        loaded.reload();
      }}
    >
      <h2>Logo</h2>
      {logo === null ? (
        <p className="note">None.</p>
      ) : (
        <img className="logo" src={`/branding/logo?v=${logo.digest.slice(0, 12)}`} alt="The logo" />
      )}
      {may ? (
        <Field
          label="File"
          name="logo"
          type="file"
          accept="image/png,image/jpeg,image/webp,image/svg+xml"
          hint="PNG, JPEG, WebP or SVG, at most 256 KiB."
        />
      ) : null}
      {may && logo !== null ? (
        <button
          type="button"
          className="quiet"
          onClick={() =>
            doing.run(async () => {
              await ask("/v1/branding/logo", { method: "DELETE", revision });
              loaded.reload();
            })
          }
        >
          Take it off
        </button>
      ) : null}
    </Form>
  );
}
