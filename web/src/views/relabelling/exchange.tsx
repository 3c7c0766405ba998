// Judgements leave the page as a file, and come back from one.

import type { JSX } from "preact";
import { useId, useState } from "preact/hooks";
import type { Page } from "../../data";
import { isServed } from "../../loader";
import type { Facts } from "../../parts/facts";
import { judgements, lostBecause, pairVerdicts, withdraw } from "../../relabel";
import { exportLabels, exportPairs, importLabels, type Import } from "./files";

function Kept(): JSX.Element | null {
  if (lostBecause.value) {
    return <p class="warning" role="alert">What you judge is lost when this page is closed: {lostBecause.value}. Export it before.</p>;
  }
  if (!isServed) return <p class="quiet">This browser keeps what you judge, for this page, on this machine.</p>;
  // Browsers keep data by address, and the port is part of it.
  return (
    <p class="quiet">
      This browser keeps what you judge under this address. <code>cellfeat view</code> has it again, unless its port {location.port} is
      taken: then export it, or end what has the port.
    </p>
  );
}

/** Judgements of labels that the page no longer has: cellfeat would refuse them. */
function Outdated({ facts }: { facts: Facts }): JSX.Element | null {
  const isOutdated = (one: { row: number; before: string }): boolean => facts.label(one.row) !== one.before;
  const n = judgements.value.filter(isOutdated).length;
  if (n === 0) return null;
  return (
    <p class="warning">
      {n.toLocaleString("en")} judgements are of labels that have changed since: <code>cellfeat compare</code> would refuse
      them. <button type="button" onClick={() => withdraw(isOutdated)}>Withdraw these</button>
    </p>
  );
}

function Told({ told }: { told: Import }): JSX.Element {
  return (
    <div role="status">
      <p>{told.nTaken.toLocaleString("en")} judgements were read.</p>
      {told.problems.length > 0 && <ul class="warning">{told.problems.map((one) => <li key={one}>{one}</li>)}</ul>}
    </div>
  );
}

export function Exchange({ page, facts }: { page: Page; facts: Facts }): JSX.Element {
  const file = useId();
  const [told, setTold] = useState<Import | null>(null);
  const read = async (event: JSX.TargetedEvent<HTMLInputElement>): Promise<void> => {
    const input = event.currentTarget;
    const chosen = input.files?.[0];
    if (chosen) setTold(await importLabels(page, facts, chosen));
    // The same file can be chosen again.
    input.value = "";
  };
  return (
    <>
      <div class="tools">
        <button type="button" disabled={judgements.value.length === 0} onClick={exportLabels}>Export changes.csv</button>
        {pairVerdicts.value.length > 0 && <button type="button" onClick={exportPairs}>Export pairs.csv</button>}
        <label for={file}>Go on from an earlier export</label>
        <input id={file} type="file" accept=".csv,text/csv" onChange={read} />
      </div>
      {told && <Told told={told} />}
      <Kept />
      <Outdated facts={facts} />
    </>
  );
}
