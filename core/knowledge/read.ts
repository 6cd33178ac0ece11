import { Problem } from "../problem.ts";
import { type CreateDocument, MAX_DOCUMENT_BYTES, MAX_DOCUMENT_UNITS } from "./contract.ts";
import { textOfHtml } from "./html.ts";
import { cutPassages } from "./passages.ts";
import { BrokenPdf } from "./pdf-file.ts";
import { textOfPdf } from "./pdf.ts";

/** What is needed of an upload. */
type Upload = Pick<CreateDocument, "title" | "media_type" | "text" | "content">;

/** The bytes as they were uploaded, and passages under titles that a citation names. */
type Read = {
  readonly bytes: Uint8Array;
  readonly passages: readonly { readonly title: string; readonly text: string }[];
};

/**
 * The text of a document, cut into passages.
 *
 * @throws Problem `invalid`, with the place, for a file that is not what it says, or holds no text.
 */
export async function readDocument(upload: Upload): Promise<Read> {
  const bytes =
    upload.text === undefined
      ? fileOf(upload.content ?? "")
      : new TextEncoder().encode(upload.text);
  if (bytes.byteLength > MAX_DOCUMENT_BYTES) {
    throw unreadable(upload, `is larger than ${MAX_DOCUMENT_BYTES} bytes`);
  }
  const text = (await textOf(upload, bytes)).slice(0, MAX_DOCUMENT_UNITS).toWellFormed();
  const passages = cutPassages(text).map((cut) => ({
    title: cut.place === "" ? upload.title : `${upload.title} › ${cut.place}`,
    text: cut.text,
  }));
  if (passages.length === 0) throw unreadable(upload, "holds no text");
  return { bytes, passages };
}

async function textOf(upload: Upload, bytes: Uint8Array): Promise<string> {
  if (upload.media_type === "application/pdf") {
    try {
      return await textOfPdf(bytes);
    } catch (error) {
      if (error instanceof BrokenPdf) throw unreadable(upload, error.message);
      throw error;
    }
  }
  const text = upload.text ?? decoded(upload, bytes);
  return upload.media_type === "text/html" ? textOfHtml(text) : plain(text);
}

/** Control characters are no text, whatever wrote them. */
function plain(text: string): string {
  return text.replaceAll(/[^\P{Cc}\t\n\r]/gu, " ");
}

function decoded(upload: Upload, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    throw unreadable(upload, "is no text in UTF-8");
  }
}

/** The schema has settled that it is base64. */
function fileOf(content: string): Uint8Array {
  const binary = atob(content);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i += 1) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

function unreadable({ text }: Upload, detail: string): Problem {
  const pointer = text === undefined ? "/content" : "/text";
  return new Problem("invalid", `the document ${detail}`, { errors: [{ pointer, detail }] });
}
