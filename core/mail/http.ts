/**
 * Mail by an HTTP API: `POST` of `{from, to, subject, text}` with a bearer key, as Resend and many
 * others take it. On one machine the local server's catcher answers at the same form.
 */
import type { Fetch } from "../models/contract.ts";
import type { Mail, SendMail, Sent } from "./contract.ts";

export type MailApi = {
  readonly url: string;
  readonly key: string;
  readonly from: string;
};

const TIMEOUT_MS = 10_000;
/** Of the 4xx those that say nothing about the message. */
const NOT_THE_MESSAGE = new Set([401, 403, 404, 408, 409, 425, 429]);

export function httpMail(fetch: Fetch, api: MailApi): SendMail {
  return async (mail) => {
    try {
      return verdict(await post(fetch, api, mail));
    } catch (error) {
      // Its name alone: what a network error says may hold the address.
      return { outcome: "later", detail: error instanceof Error ? error.name : "unknown" };
    }
  };
}

async function post(fetch: Fetch, { url, key, from }: MailApi, mail: Mail): Promise<number> {
  const { id, to, subject, text } = mail;
  const answer = await fetch(url, {
    method: "POST",
    headers: {
      authorization: `Bearer ${key}`,
      "content-type": "application/json",
      "idempotency-key": id,
    },
    body: JSON.stringify({ from, to: [to], subject, text }),
    redirect: "manual",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  await answer.body?.cancel();
  return answer.status;
}

function verdict(status: number): Sent {
  const detail = `answered ${status}`;
  if (status >= 200 && status < 300) return { outcome: "sent", detail };
  const refused = status >= 400 && status < 500 && !NOT_THE_MESSAGE.has(status);
  return { outcome: refused ? "refused" : "later", detail };
}
