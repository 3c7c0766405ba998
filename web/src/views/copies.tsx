// What an audit found: pairs of copies, labels that contradict each other or a head, and files that could not be read.

import type { JSX } from "preact";
import type { Audit, Page } from "../data";
import { Pairs } from "./copies/pairs";
import { part, partsOf, type Part } from "./copies/shown";
import { Suspects } from "./copies/suspects";
import { Findings, Quarantined } from "./copies/tables";

function show(name: Part, page: Page, audit: Audit): JSX.Element {
  switch (name) {
    case "pairs": return <Pairs page={page} pairs={audit.pairs} />;
    case "suspects": return <Suspects page={page} suspects={audit.suspects} />;
    case "quarantined": return <Quarantined files={audit.quarantined} />;
    case "findings": return <Findings findings={audit.findings} />;
  }
}

export function CopiesView({ page }: { page: Page }): JSX.Element {
  const audit = page.audit;
  const parts = audit ? partsOf(audit) : [];
  const shown = parts.find(({ name }) => name === part.value) ?? parts[0];
  if (!audit || !shown) return <p>The audit found nothing: no copies, no contradicting labels, no unreadable files.</p>;
  return (
    <div class="copies">
      <div class="tools" role="group" aria-label="What the audit found">
        {parts.map(({ name, title, n }) => (
          <button key={name} type="button" aria-pressed={name === shown.name} onClick={() => (part.value = name)}>
            {title} {n.toLocaleString("en")}
          </button>
        ))}
      </div>
      <h2>{shown.title}</h2>
      {show(shown.name, page, audit)}
    </div>
  );
}
