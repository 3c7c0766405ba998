// Beside the matrix: the largest confusions, and samples that are in none of its cells.

import type { JSX } from "preact";
import type { Head, Page } from "../../data";
import type { Predictions } from "../../predictions";
import { NONE, choice, type ClassPlace } from "../../state";
import { count, counted, percent } from "../../words";
import { largestConfusions, shareOfRow, type Matrix } from "./cells";

const MOST = 10;

function show(truth: ClassPlace, predicted: ClassPlace): void {
  choice.value = { truth, predicted, outcome: null };
}

export function LargestConfusions({ matrix, opens }: { matrix: Matrix; opens: boolean }): JSX.Element {
  const cells = largestConfusions(matrix, MOST);
  return (
    <section class="part">
      <h2>Largest confusions</h2>
      {cells.length === 0 && <p>No mistakes.</p>}
      <ol class="confusions">
        {cells.map((cell) => (
          <li key={`${cell.truth} ${cell.predicted}`}>
            <button type="button" disabled={!opens} onClick={() => show(cell.truth, cell.predicted)}>
              <b>{matrix.classes[cell.truth]}</b> predicted <b>{matrix.predictedClasses[cell.predicted]}</b>
            </button>{" "}
            <span class="figures">{count(cell.n)}, {percent(shareOfRow(matrix, cell))} of the class</span>
          </li>
        ))}
      </ol>
    </section>
  );
}

/** Numbers of samples without a label, by the place of their prediction in `predictedClasses`. */
function unlabelled(head: Head, { names, truth, predicted }: Predictions): { place: number; n: number }[] {
  const places = names.map((name) => head.predictedClasses.indexOf(name));
  const counts = head.predictedClasses.map(() => 0);
  truth.forEach((label, row) => {
    const place = label === NONE ? places[predicted[row]] : undefined;
    if (place !== undefined && place >= 0) counts[place]++;
  });
  return counts.map((n, place) => ({ place, n })).filter(({ n }) => n > 0);
}

function unpredicted({ truth, predicted }: Predictions): number {
  return predicted.reduce((sum, answer, row) => sum + Number(answer === NONE && truth[row] !== NONE), 0);
}

export function OutsideMatrix({ head, predictions }: { page: Page; head: Head; predictions: Predictions }): JSX.Element | null {
  const groups = unlabelled(head, predictions);
  const missing = unpredicted(predictions);
  if (groups.length === 0 && missing === 0) return null;
  return (
    <section class="part">
      <h2>Not in the matrix</h2>
      {groups.length > 0 && (
        <>
          <p>{counted(groups.reduce((sum, { n }) => sum + n, 0), "sample")} without a label, predicted as:</p>
          <p class="buttons">
            {groups.map(({ place, n }) => (
              <button key={place} type="button" onClick={() => show(NONE, place)}>{head.predictedClasses[place]} ({count(n)})</button>
            ))}
          </p>
        </>
      )}
      {missing > 0 && (
        <p>
          <button type="button" onClick={() => show(null, NONE)}>{counted(missing, "labelled sample")} without a prediction</button>
        </p>
      )}
    </section>
  );
}
