import { useState } from "react";
import type { Receipt } from "../../../core/replays/contract.ts";
import { costText, countText } from "./format.ts";
import { useLoad } from "./load.ts";
import { Link, ProblemNote, Skeleton } from "./parts.tsx";
import { Facts } from "./settings/listing.tsx";

/** What the invocation was, did and cost, asked for when it is opened. */
export function ReceiptOf({ id }: { readonly id: string }) {
  const [open, setOpen] = useState(false);
  return (
    <details className="receipt" onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary>
        <h2>Receipt</h2>
      </summary>
      {open ? <Body id={id} /> : null}
    </details>
  );
}

function Body({ id }: { readonly id: string }) {
  const path = `/v1/invocations/${encodeURIComponent(id)}/receipt`;
  const receipt = useLoad<Receipt>(path);
  if (receipt.problem) return <ProblemNote problem={receipt.problem} onRetry={receipt.reload} />;
  const { data } = receipt;
  if (data === undefined) return <Skeleton lines={5} />;
  return (
    <>
      <Facts
        facts={[
          ["Asked by", data.principal],
          ["Version", `v${data.version}, spec ${data.spec_hash ?? "gone"}`],
          ["Cost", `$${data.cost_usd}${data.ledgered ? "" : " (not in the ledger yet)"}`],
          ["Journal", data.journal_hash],
          ["Request", data.request_id],
        ]}
      />
      <table className="lines">
        <thead>
          <tr>
            <th scope="col">What</th>
            <th scope="col" className="number">
              Calls
            </th>
            <th scope="col" className="number">
              Tokens
            </th>
            <th scope="col" className="number">
              Cost
            </th>
          </tr>
        </thead>
        <tbody>
          {data.models.map((it) => (
            <tr key={it.model}>
              <td>{it.model}</td>
              <td className="number">{it.calls}</td>
              <td className="number">
                {countText(it.input_tokens)} → {countText(it.output_tokens)}
              </td>
              <td className="number">{costText(it.cost_micros)}</td>
            </tr>
          ))}
          {data.tools.map((it) => (
            <tr key={it.tool}>
              <td>{it.tool}</td>
              <td className="number">{it.calls}</td>
              <td className="number">–</td>
              <td className="number">{costText(it.cost_micros)}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row" colSpan={3}>
              Together
            </th>
            <td className="number">{costText(data.cost_micros)}</td>
          </tr>
        </tfoot>
      </table>
      {data.approvals.length === 0 ? null : (
        <p>
          {data.approvals.map((it) => (
            <span key={it.id}>
              <Link to={`/console/work/approvals/${it.id}`}>{it.name}</Link> {it.status}.{" "}
            </span>
          ))}
        </p>
      )}
      <a href={path} download={`${id}.receipt.json`}>
        Download the receipt
      </a>
    </>
  );
}
