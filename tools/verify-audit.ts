/**
 * Verify an exported audit trail, away from the platform that wrote it:
 *
 *     node tools/run.mjs tools/verify-audit.ts audit.ndjson [checkpoint.json jwks.json]
 *
 * The trail is all of `GET /v1/audit/export`, a checkpoint an answer of `/v1/audit/checkpoints` kept
 * from before, the keys what `/.well-known/jwks.json` said then. Prints what was found; ends with 1
 * when something is wrong.
 */
import { createReadStream, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { z } from "zod";
import { judgeCheckpoint } from "../core/audit/checkpoint.ts";
import { AuditEntry, Checkpoint } from "../core/audit/contract.ts";
import { endFault, followChain } from "../core/audit/verify.ts";

const Keys = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) });

const [trail, kept, keys] = process.argv.slice(2);
if (trail === undefined || (kept === undefined) !== (keys === undefined)) {
  throw new Error("usage: verify-audit.ts <trail.ndjson> [<checkpoint.json> <jwks.json>]");
}

let tenantId = "";
const read = (path: string): unknown => JSON.parse(readFileSync(path, "utf8"));
const checkpoint = kept === undefined ? undefined : Checkpoint.parse(read(kept));
const marks = new Map(checkpoint ? [[checkpoint.seq, checkpoint.hash]] : []);
const followed = await followChain(entriesOf(trail), null, marks);
const fault = followed.fault ?? endFault(followed.head, checkpoint ?? null);
const signature =
  checkpoint && keys !== undefined
    ? await judgeCheckpoint(checkpoint, tenantId, Keys.parse(read(keys)).keys)
    : undefined;
const verified = fault === undefined && (signature ?? "signed") === "signed";
const { entries, unchained, head } = followed;
const found = { verified, entries, unchained, head, checkpoint: signature, fault };
console.log(JSON.stringify(found, undefined, 2));
process.exitCode = verified ? 0 : 1;

async function* entriesOf(path: string): AsyncGenerator<AuditEntry> {
  for await (const line of createInterface({ input: createReadStream(path) })) {
    if (line === "") continue;
    const entry = AuditEntry.parse(JSON.parse(line));
    tenantId ||= entry.tenant_id;
    yield entry;
  }
}
