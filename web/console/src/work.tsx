import type { WorkPage } from "./route.ts";
import { Section, type Entry } from "./section.tsx";
import type { SignedIn } from "./wire.ts";
import { ApprovalsPage } from "./work/approvals.tsx";
import { BatchesPage } from "./work/batches.tsx";
import { DeadLettersPage } from "./work/dead-letters.tsx";
import { MemoriesPage } from "./work/memories.tsx";
import { MoneyPage } from "./work/money.tsx";
import { SchedulesPage } from "./work/schedules.tsx";
import { TriggersPage } from "./work/triggers.tsx";

const ENTRIES: readonly Entry<WorkPage>[] = [
  {
    page: "approvals",
    name: "Approvals",
    scope: "approvals:read",
    show: (props) => <ApprovalsPage {...props} />,
  },
  {
    page: "dead-letters",
    name: "Dead letters",
    scope: "invocations:read",
    show: (props) => <DeadLettersPage {...props} />,
  },
  {
    page: "batches",
    name: "Batches",
    scope: "invocations:read",
    show: (props) => <BatchesPage {...props} />,
  },
  {
    page: "schedules",
    name: "Schedules",
    scope: "schedules:read",
    show: (props) => <SchedulesPage {...props} />,
  },
  {
    page: "triggers",
    name: "Triggers",
    scope: "schedules:read",
    show: (props) => <TriggersPage {...props} />,
  },
  {
    page: "memories",
    name: "Memory",
    scope: "memories:read",
    show: (props) => <MemoriesPage {...props} />,
  },
  {
    page: "budgets",
    name: "Budgets and limits",
    scope: "budgets:read",
    show: (props) => <MoneyPage {...props} />,
  },
];

/** What waits for somebody, what is planned, and what it may cost. */
export function WorkScreen(props: {
  readonly me: SignedIn;
  readonly page: WorkPage | undefined;
  readonly id: string | undefined;
}) {
  return <Section name="Work" base="/console/work" entries={ENTRIES} {...props} />;
}
