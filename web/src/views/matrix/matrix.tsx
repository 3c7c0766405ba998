// The confusion matrix as a table; each cell opens its samples.

import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import { choice, type ClassPlace, type Every } from "../../state";
import { count, percent } from "../../words";
import { Recall } from "../report/classes";
import { isCorrect, shareOf, shareOfRow, type Amount, type Matrix } from "./cells";
import { moveByKey, moveTo } from "./moving";

/** Classes up to which a cell holds two numbers, and names of columns lie flat. */
const MOST_ROOMY = 20;
const MOST_FLAT = 4;

interface MatrixProps {
  matrix: Matrix;
  amount: Amount;
  /** Whether the page has the samples behind the numbers. */
  opens: boolean;
}

interface OpenProps {
  truth: ClassPlace;
  predicted: ClassPlace;
  n: number;
  label: string;
  opens: boolean;
  isFirst?: boolean;
  every?: Every;
  children: JSX.Element | string;
}

function isShown(truth: ClassPlace, predicted: ClassPlace, every?: Every): boolean {
  const shown = choice.value;
  return shown !== null && shown.outcome === null && shown.every === every && shown.truth === truth && shown.predicted === predicted;
}

function Open({ truth, predicted, n, label, opens, isFirst = false, every, children }: OpenProps): JSX.Element {
  const isIdle = n === 0 || !opens;
  return (
    <button
      type="button"
      tabIndex={isFirst ? 0 : -1}
      aria-pressed={isIdle ? undefined : isShown(truth, predicted, every)}
      aria-disabled={isIdle || undefined}
      onClick={() => !isIdle && (choice.value = { truth, predicted, outcome: null, every })}
    >
      <span class="hidden">{label}: </span>
      {children}
    </button>
  );
}

/** A dot: zeros in most cells would hide the others. */
function Nothing(): JSX.Element {
  return <><span class="hidden">0</span><span aria-hidden="true">·</span></>;
}

function MatrixCell({ matrix, amount, opens, truth, predicted }: MatrixProps & { truth: number; predicted: number }): JSX.Element {
  const cell = { truth, predicted, n: matrix.counts[truth][predicted] };
  const [label, answer] = [matrix.classes[truth], matrix.predictedClasses[predicted]];
  const share = percent(shareOf(matrix, cell, amount));
  const isRoomy = matrix.classes.length <= MOST_ROOMY;
  const [main, small] = amount === "counts" ? [count(cell.n), share] : [share, count(cell.n)];
  // The square root keeps rare mistakes visible.
  const tint = Math.sqrt(shareOfRow(matrix, cell)) * 100;
  return (
    <td class={isCorrect(matrix, truth, predicted) ? "correct" : "mistake"} style={{ "--tint": `${tint.toFixed(1)}%` }}>
      <Open
        {...{ truth, predicted, opens }}
        n={cell.n}
        isFirst={truth === 0 && predicted === 0}
        label={`${label}, predicted ${answer}`}
      >
        {cell.n === 0 ? <Nothing /> : <>{main}{isRoomy && <small> {small}</small>}</>}
      </Open>
    </td>
  );
}

function MatrixRow(props: MatrixProps & { truth: number }): JSX.Element {
  const { matrix, opens, truth } = props;
  const [name, n, score] = [matrix.classes[truth], matrix.rowTotals[truth], matrix.scores[truth]];
  return (
    <tr>
      <th scope="row" title={name}><span>{name}</span></th>
      {matrix.predictedClasses.map((_, predicted) => <MatrixCell key={predicted} {...props} predicted={predicted} />)}
      <td class="total">
        <Open truth={truth} predicted={null} n={n} opens={opens} label={`${name}, all predictions`}>{count(n)}</Open>
      </td>
      <td class="recall-cell">{score && <Recall value={score} />}</td>
    </tr>
  );
}

function Totals({ matrix, opens }: MatrixProps): JSX.Element {
  const all = matrix.rowTotals.reduce((sum, n) => sum + n, 0);
  return (
    <tr>
      <th scope="row">predicted, all</th>
      {matrix.columnTotals.map((n, predicted) => (
        <td key={predicted} class="total">
          <Open truth={null} predicted={predicted} n={n} opens={opens} label={`predicted ${matrix.predictedClasses[predicted]}`}>
            {count(n)}
          </Open>
        </td>
      ))}
      <td class="total all">
        <Open truth={null} predicted={null} every="samples" n={all} opens={opens} label="all samples">{count(all)}</Open>
      </td>
      <td />
    </tr>
  );
}

export function MatrixTable(props: MatrixProps): JSX.Element {
  const table = useRef<HTMLTableElement>(null);
  const { matrix } = props;
  const size = matrix.predictedClasses.length <= MOST_FLAT ? "flat" : matrix.classes.length > MOST_ROOMY ? "dense" : "";
  return (
    <div class="table-box matrix-box" role="region" aria-label="Confusion matrix" tabIndex={-1}>
      <table
        ref={table}
        class={`matrix ${size}`}
        onKeyDown={(event) => moveByKey(event, table.current!)}
        onFocusCapture={(event) => event.target instanceof HTMLButtonElement && moveTo(table.current!, event.target)}
      >
        <thead>
          <tr>
            <th scope="col">true \ predicted</th>
            {matrix.predictedClasses.map((name) => <th key={name} scope="col" title={name} class="answer"><span>{name}</span></th>)}
            <th scope="col" class="number">n</th>
            <th scope="col">Recall, 95 % interval</th>
          </tr>
        </thead>
        <tbody>
          {matrix.classes.map((name, truth) => <MatrixRow key={name} {...props} truth={truth} />)}
        </tbody>
        <tfoot><Totals {...props} /></tfoot>
      </table>
    </div>
  );
}
