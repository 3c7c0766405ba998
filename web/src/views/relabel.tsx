// Give samples other labels, openly or blind, and take the judgements out as a file.

import type { JSX } from "preact";
import type { Page } from "../data";
import { factsOf } from "../parts/facts";
import { useLoaded } from "../parts/loaded";
import { head, isBlind } from "../state";
import { Blind, BlindResult } from "./relabelling/blind";
import { Exchange } from "./relabelling/exchange";
import { Judged } from "./relabelling/judged";

function Guard(): JSX.Element {
  return (
    <>
      <p>
        Open a sample from a gallery, the map or the suspicious labels, and give it another label. Each judgement is exported
        with what you had seen.
      </p>
      <p>
        Changing labels where a head disagrees raises the score of that head by itself, whether the new labels are better or
        not. <code>cellfeat compare --labels changes.csv</code> therefore compares the scores by old and by new labels twice:
        on all samples, and without those that were changed after their prediction was seen. The second gain is the one to
        report.
      </p>
    </>
  );
}

export function RelabelView({ page }: { page: Page }): JSX.Element {
  const loaded = useLoaded(() => factsOf(page, head.value), [page, head.value]);
  const facts = loaded.value;
  if (loaded.problem) return <p role="alert">{loaded.problem}</p>;
  if (!facts) return <p>Loading labels …</p>;
  const canBeBlind = page.heads.length > 0;
  return (
    <div class="relabelling">
      {!isBlind.value && <Guard />}
      {canBeBlind && <h2>Blind</h2>}
      {canBeBlind && <Blind page={page} facts={facts} />}
      {!isBlind.value && (
        <>
          <h2>Judged</h2>
          <BlindResult />
          <Exchange page={page} facts={facts} />
          <Judged page={page} />
        </>
      )}
    </div>
  );
}
