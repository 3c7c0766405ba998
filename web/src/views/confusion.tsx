// The confusion matrix of a head; each of its numbers opens the samples behind it.

import { Fragment, type JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { Head, Page } from "../data";
import { useLoaded } from "../parts/loaded";
import { predictionsOf } from "../predictions";
import { choice, head as shownHead, showMistakes } from "../state";
import { count } from "../words";
import { LargestConfusions, OutsideMatrix } from "./matrix/beside";
import { matrixOf, mistakes, type Amount } from "./matrix/cells";
import { MatrixTable } from "./matrix/matrix";

const AMOUNTS: [Amount, string][] = [
  ["counts", "Counts"],
  ["rows", "Share of row"],
  ["columns", "Share of column"],
];

function AmountSwitch({ amount, onChange }: { amount: Amount; onChange: (amount: Amount) => void }): JSX.Element {
  return (
    <div class="buttons" role="group" aria-label="Numbers in the matrix">
      {AMOUNTS.map(([name, title]) => (
        <button key={name} type="button" aria-pressed={name === amount} onClick={() => onChange(name)}>{title}</button>
      ))}
    </div>
  );
}

function Legend(): JSX.Element {
  return (
    <p class="tints quiet">
      Tint: share of the row.{" "}
      {[1, 10, 50, 100].map((share) => (
        <Fragment key={share}>
          <span class="tints-entry">
            <i class="correct" style={{ "--tint": `${Math.sqrt(share / 100) * 100}%` }} />
            <i class="mistake" style={{ "--tint": `${Math.sqrt(share / 100) * 100}%` }} /> {share} %
          </span>{" "}
        </Fragment>
      ))}
      Blue, bold: correct. Orange: mistakes.
    </p>
  );
}

function AllMistakes({ n }: { n: number }): JSX.Element | null {
  if (n === 0) return null;
  return (
    <button type="button" aria-pressed={choice.value?.every === "mistakes"} onClick={showMistakes}>
      {n === 1 ? "The only mistake" : `All ${count(n)} mistakes`}
    </button>
  );
}

function Confusion({ page, head }: { page: Page; head: Head }): JSX.Element {
  const [amount, setAmount] = useState<Amount>("counts");
  const matrix = useMemo(() => matrixOf(page, head), [page, head]);
  const { value: predictions, problem } = useLoaded(() => predictionsOf(page, head.name), [page, head.name]);
  const hasSamples = page.columns.some((column) => column.role === "predicted" && column.head === head.name);
  return (
    <>
      <div class="view-head">
        <h2>Confusion of {head.name}</h2>
        <AmountSwitch amount={amount} onChange={setAmount} />
        {hasSamples && <AllMistakes n={mistakes(matrix)} />}
      </div>
      <p class="quiet">
        {hasSamples ? "Choose a number to see its samples: mistakes first, the most confident first." : "This page has no predictions of single samples."}
      </p>
      {problem && <p role="alert">{problem}</p>}
      <MatrixTable matrix={matrix} amount={amount} opens={hasSamples} />
      <Legend />
      <LargestConfusions matrix={matrix} opens={hasSamples} />
      {predictions && <OutsideMatrix page={page} head={head} predictions={predictions} />}
    </>
  );
}

export function ConfusionView({ page }: { page: Page }): JSX.Element {
  const head = page.heads.find(({ name }) => name === shownHead.value);
  if (!head || page.classes.length === 0) return <p>No head was scored: there is no confusion to show.</p>;
  return <Confusion page={page} head={head} />;
}
