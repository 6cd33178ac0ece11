import { useState } from "react";
import type { Agent } from "../../../../core/agents/contract.ts";
import type { KnowledgeDocument } from "../../../../core/knowledge/contract.ts";
import type { Forgotten, Memory, MemoryFound } from "../../../../core/memories/contract.ts";
import type { Page } from "../../../../core/page.ts";
import { ask, askJson } from "../api.ts";
import { Choice, Confirm, Field, Form, TextArea, textIn, useDoing } from "../form.tsx";
import { useLoad, type Paged } from "../load.ts";
import { ProblemNote, Skeleton, Title, When } from "../parts.tsx";
import { navigate } from "../route.ts";
import type { PageProps } from "../section.tsx";
import { Listing, Row } from "../settings/listing.tsx";

/** Where an agent's memory is: `support/prod`, as the address and the choice have it. */
type Place = { readonly agent: string; readonly environment: string };

/** What an agent has learned and was given to read: seen, searched, added to, and forgotten. */
export function MemoriesPage({ id, can }: PageProps) {
  const agents = useLoad<Page<Agent>>("/v1/agents?limit=100");
  const places = (agents.data?.data ?? []).flatMap((agent) =>
    Object.keys(agent.live).map((environment): Place => ({ agent: agent.slug, environment })),
  );
  const chosen = places.find((place) => nameOf(place) === id) ?? places[0];
  return (
    <>
      <Title>Memory</Title>
      {agents.problem ? <ProblemNote problem={agents.problem} onRetry={agents.reload} /> : null}
      {agents.data === undefined && agents.loading ? <Skeleton lines={4} /> : null}
      {agents.data && chosen === undefined ? (
        <div className="empty">
          <p>
            <strong>No agent is live.</strong>
          </p>
          <p>One whose spec has a section memory remembers from its first turn.</p>
        </div>
      ) : null}
      {chosen ? (
        <>
          <Choice
            key={nameOf(chosen)}
            label="Of"
            name="place"
            value={nameOf(chosen)}
            options={places.map((it) => [nameOf(it), `${it.agent}, ${it.environment}`])}
            onChange={(name) => navigate(`/console/work/memories/${name}`)}
          />
          <OfPlace key={`of ${nameOf(chosen)}`} place={chosen} can={can} />
        </>
      ) : null}
    </>
  );
}

function nameOf({ agent, environment }: Place): string {
  return `${agent}@${environment}`;
}

function OfPlace({ place, can }: { readonly place: Place; readonly can: PageProps["can"] }) {
  const query = new URLSearchParams(place);
  const writes = can("memories:write");
  return (
    <>
      <Search place={place} />
      <Listing<Memory>
        second
        title="Learned"
        path={`/v1/memories?${query}`}
        empty="Nothing yet."
        newOne={writes ? "Tell it something" : undefined}
        renderForm={(done, list) => <Tell place={place} done={done} list={list} />}
        renderRow={(item, list) => <ItemRow item={item} writes={writes} onGone={list.reload} />}
      />
      {writes ? <ForgetSubject place={place} /> : null}
      {can("knowledge:read") ? <Documents place={place} writes={can("knowledge:write")} /> : null}
    </>
  );
}

function Search({ place }: { readonly place: Place }) {
  const doing = useDoing();
  const [found, setFound] = useState<MemoryFound>();
  return (
    <>
      <Form
        doing={doing}
        submit="Search"
        onSubmit={async (form) => {
          const json = { ...place, query: textIn(form, "query") };
          setFound(await askJson("/v1/memories/search", { method: "POST", json }));
        }}
      >
        <Field label="What would it recall for" name="query" type="search" required doing={doing} />
      </Form>
      <div aria-live="polite">
        {found === undefined ? null : (
          <p className="note">
            {found.data.length === 0 ? "Nothing." : `${found.data.length} found`}
            {found.embedding.lexical
              ? ", by words alone."
              : `, by words and ${found.embedding.model}.`}
          </p>
        )}
      </div>
      {found && found.data.length > 0 ? (
        <ol className="rows">
          {found.data.map((it) => (
            <li key={`${it.id} ${it.part}`}>
              <Row
                name={it.title}
                slug={it.kind}
                about={
                  <>
                    {it.text}
                    <span className="note"> {whyText(it.why)}</span>
                  </>
                }
              />
            </li>
          ))}
        </ol>
      ) : null}
    </>
  );
}

function whyText(why: MemoryFound["data"][number]["why"]): string {
  const parts = [
    why.words.length === 0 ? "" : `words: ${why.words.join(", ")}`,
    why.similarity === null ? "" : `closeness ${why.similarity.toFixed(2)}`,
  ];
  return parts.filter(Boolean).join("; ");
}

function ItemRow(props: {
  readonly item: Memory;
  readonly writes: boolean;
  readonly onGone: () => void;
}) {
  const { item } = props;
  const [asking, setAsking] = useState(false);
  return (
    <>
      <Row
        name={item.text}
        {...(item.subject === null ? {} : { slug: item.subject })}
        about={
          <>
            Learned <When at={item.learned_at} /> from {item.author}
            {item.valid_until === null ? null : (
              <>
                , true until <When at={item.valid_until} />
              </>
            )}
          </>
        }
      >
        {props.writes ? (
          <button
            type="button"
            aria-label={`Forget: ${item.text.slice(0, 60)}`}
            onClick={() => setAsking(true)}
          >
            Forget
          </button>
        ) : null}
      </Row>
      {asking ? (
        <Confirm
          title="Forget this?"
          action="Forget"
          onClose={() => setAsking(false)}
          onConfirm={async () => {
            await ask(`/v1/memories/${item.id}`, { method: "DELETE" });
            props.onGone();
          }}
        >
          <p>{item.text}</p>
          <p>What was said in the turns it was learned in or recalled for goes with it.</p>
        </Confirm>
      ) : null}
    </>
  );
}

function Tell(props: {
  readonly place: Place;
  readonly done: () => void;
  readonly list: Paged<Memory>;
}) {
  const doing = useDoing();
  return (
    <Form
      className="form card"
      doing={doing}
      submit="Remember"
      onCancel={props.done}
      onSubmit={async (form) => {
        const json = {
          ...props.place,
          text: textIn(form, "text"),
          subject: textIn(form, "subject"),
        };
        await ask("/v1/memories", { method: "POST", json });
        props.done();
        props.list.reload();
      }}
    >
      <TextArea label="What is true" name="text" rows={3} required doing={doing} />
      <Field
        label="About"
        name="subject"
        hint="Whom or what: all of one subject is forgotten together."
        doing={doing}
      />
    </Form>
  );
}

function ForgetSubject({ place }: { readonly place: Place }) {
  const doing = useDoing();
  const [subject, setSubject] = useState<string>();
  const [gone, setGone] = useState<Forgotten>();
  return (
    <>
      <Form
        doing={doing}
        danger
        submit="Forget a subject"
        onSubmit={async (form) => setSubject(textIn(form, "subject"))}
      >
        <Field label="Subject" name="subject" required doing={doing} />
      </Form>
      {gone ? (
        <output className="note">
          Forgotten: {gone.memories} items, {gone.documents} documents, {gone.turns} turns and{" "}
          {gone.summaries} summaries.
        </output>
      ) : null}
      {subject === undefined ? null : (
        <Confirm
          title={`Forget all about ${subject}?`}
          action="Forget"
          onClose={() => setSubject(undefined)}
          onConfirm={async () => {
            const json = { ...place, subject };
            setGone(await askJson("/v1/memories/forget", { method: "POST", json }));
          }}
        >
          <p>
            Items, documents, the turns they were used in, and summaries made from them. It cannot
            be taken back.
          </p>
        </Confirm>
      )}
    </>
  );
}

function Documents({ place, writes }: { readonly place: Place; readonly writes: boolean }) {
  return (
    <Listing<KnowledgeDocument>
      second
      title="Documents"
      path={`/v1/knowledge?${new URLSearchParams(place)}`}
      empty="None. Text, Markdown, HTML and PDF are read, and cited by their places."
      newOne={writes ? "Add a document" : undefined}
      renderForm={(done, list) => <AddDocument place={place} done={done} list={list} />}
      renderRow={(it, list) => (
        <Row
          name={it.title}
          slug={it.media_type}
          about={`${it.passages} passages, ${Math.ceil(it.size_bytes / 1024)} kB`}
        >
          {writes ? <TakeAway of={it} onGone={list.reload} /> : null}
        </Row>
      )}
    />
  );
}

function TakeAway(props: { readonly of: KnowledgeDocument; readonly onGone: () => void }) {
  const { of } = props;
  const [asking, setAsking] = useState(false);
  return (
    <>
      <button type="button" aria-label={`Take ${of.title} away`} onClick={() => setAsking(true)}>
        Take away
      </button>
      {asking ? (
        <Confirm
          title={`Take ${of.title} away?`}
          action="Take away"
          onClose={() => setAsking(false)}
          onConfirm={async () => {
            await ask(`/v1/knowledge/${of.id}`, { method: "DELETE" });
            props.onGone();
          }}
        >
          <p>The agent answers from it no longer.</p>
        </Confirm>
      ) : null}
    </>
  );
}

const TYPES: Readonly<Record<string, KnowledgeDocument["media_type"]>> = {
  md: "text/markdown",
  markdown: "text/markdown",
  html: "text/html",
  htm: "text/html",
  pdf: "application/pdf",
};

function AddDocument(props: {
  readonly place: Place;
  readonly done: () => void;
  readonly list: Paged<KnowledgeDocument>;
}) {
  const doing = useDoing();
  return (
    <Form
      className="form card"
      doing={doing}
      submit="Add"
      onCancel={props.done}
      onSubmit={async (form) => {
        const file = form.get("file");
        if (!(file instanceof File)) return;
        const ending = file.name.split(".").at(-1)?.toLowerCase() ?? "";
        const json = {
          ...props.place,
          title: textIn(form, "title") ?? file.name,
          media_type: TYPES[ending] ?? "text/plain",
          content: await base64(file),
          subject: textIn(form, "subject"),
        };
        await ask("/v1/knowledge", { method: "POST", json });
        props.done();
        props.list.reload();
      }}
    >
      <Field
        label="File"
        name="file"
        type="file"
        accept=".txt,.md,.markdown,.html,.htm,.pdf"
        required
        pointer="/content"
        doing={doing}
      />
      <Field label="Title" name="title" hint="Its file's name unless said." doing={doing} />
      <Field label="About" name="subject" doing={doing} />
    </Form>
  );
}

async function base64(file: File): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return btoa(text);
}
