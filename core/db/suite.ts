/**
 * What the control plane promises, whichever engine it stands on. Runs on D1 in workerd
 * (tests/request/store.test.ts) and on Postgres in Node (core/db/neon.test.ts).
 *
 * Tests share one database; each makes its own tenants.
 */
import { describe } from "vitest";
import { accessCases } from "./suite-access.ts";
import { agentCases } from "./suite-agents.ts";
import { auditCases } from "./suite-audit.ts";
import { batchCases } from "./suite-batches.ts";
import { contentCases } from "./suite-content.ts";
import { deadLetterCases } from "./suite-dead-letters.ts";
import { deploymentCases } from "./suite-deployments.ts";
import { hostnameCases } from "./suite-hostnames.ts";
import { keyCases } from "./suite-keys.ts";
import { ledgerCases } from "./suite-ledger.ts";
import { lifeCases } from "./suite-life.ts";
import { machineCases } from "./suite-machines.ts";
import { moneyCases } from "./suite-money.ts";
import { pauseCases } from "./suite-pauses.ts";
import { peopleCases } from "./suite-people.ts";
import { secretCases } from "./suite-secrets.ts";
import { platformCases } from "./suite-platform.ts";
import { tenantCases } from "./suite-tenants.ts";
import { waitingCases } from "./suite-waiting.ts";
import type { Open } from "./suite-world.ts";

export function storeSuite(engine: string, open: Open): void {
  describe(`F158: the control-plane store on ${engine}`, () => {
    tenantCases(open);
    platformCases(open);
    hostnameCases(open);
    accessCases(open);
    agentCases(open);
    auditCases(open);
    batchCases(open);
    contentCases(open);
    deadLetterCases(open);
    deploymentCases(open);
    keyCases(open);
    ledgerCases(open);
    lifeCases(open);
    machineCases(open);
    moneyCases(open);
    pauseCases(open);
    peopleCases(open);
    secretCases(open);
    waitingCases(open);
  });
}
