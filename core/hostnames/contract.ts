/** Names of a tenant's own that lead to it. */
import { z } from "zod";

/**
 * `pending`: made; nobody has shown that it is theirs, so it holds nothing. `verifying`: proven, it
 * is this tenant's alone; certificate and routing are under way. `active`: served. `failed`: never
 * proven, or proven no more; it holds nothing again.
 */
export const HostnameStatus = z.enum(["pending", "verifying", "active", "failed"]);
export type HostnameStatus = z.infer<typeof HostnameStatus>;

/** Body of `POST /v1/hostnames`; what a name may be is checked beside the schema. */
export const CreateHostname = z.strictObject({ name: z.string().min(1).max(1000) });
export type CreateHostname = z.infer<typeof CreateHostname>;

/** A DNS record that the name's owner sets. */
export const DnsRecord = z.object({
  type: z.enum(["TXT", "CNAME"]),
  name: z.string(),
  value: z.string(),
  /** TXT shows whose the name is, CNAME leads its visitors here. */
  purpose: z.enum(["ownership", "routing"]),
});

export const Hostname = z.object({
  id: z.string(),
  name: z.string(),
  status: HostnameStatus,
  /** What the last check was missing; null when nothing. */
  problem: z.string().nullable(),
  records: z.array(DnsRecord),
  checked_at: z.string().nullable(),
  next_check_at: z.string().nullable(),
  verified_at: z.string().nullable(),
  revision: z.number().int(),
  created_at: z.string(),
});
export type Hostname = z.infer<typeof Hostname>;

/** Where the token is looked for. */
export function challengeName(name: string): string {
  return `_berth-challenge.${name}`;
}
