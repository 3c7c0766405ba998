// Two heads side by side: where one is right and the other wrong.

import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { Head, Page } from "../data";
import { useLoaded } from "../parts/loaded";
import { outcomeWords, outcomesOf, predictionsOf, type Predictions } from "../predictions";
import { NONE, OUTCOMES, choice, head as shownHead, other, showHead, type ClassPlace, type Outcome } from "../state";
import { count, interval, percent } from "../words";

/** Numbers of samples by outcome: of each class, and of all. */
interface OutcomeCounts {
  byClass: number[][];
  all: number[];
}

function countOutcomes(page: Page, a: Predictions, b: Predictions): OutcomeCounts {
  const outcomes = outcomesOf(a, b);
  const byClass = page.classes.map(() => OUTCOMES.map(() => 0));
  outcomes.forEach((outcome, row) => {
    const counts = a.truth[row] === NONE ? undefined : byClass[a.truth[row]];
    if (outcome !== 255 && counts) counts[outcome]++;
  });
  return { byClass, all: OUTCOMES.map((_, place) => byClass.reduce((sum, counts) => sum + counts[place], 0)) };
}

function HeadChoice({ label, page, value, onChange }: { label: string; page: Page; value: string; onChange: (name: string) => void }): JSX.Element {
  return (
    <label class="control">
      {label}{" "}
      <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {page.heads.map(({ name }) => <option key={name} value={name}>{name}</option>)}
      </select>
    </label>
  );
}

/** What the comparison says of the two: differences are to the best head. */
function Verdicts({ heads }: { heads: Head[] }): JSX.Element {
  return (
    <ul class="sentences">
      {heads.map((head) => (
        <li key={head.name}>
          <b>{head.name}</b>: balanced accuracy {interval(head)}
          {head.behind ? `; ${head.behind} against the best` : head.verdict === "best" ? "; best" : ""}
        </li>
      ))}
    </ul>
  );
}

function OpenOutcome({ truth, outcome, n, label }: { truth: ClassPlace; outcome: Outcome; n: number; label: string }): JSX.Element {
  const shown = choice.value;
  if (n === 0) return <span class="quiet">0</span>;
  return (
    <button
      type="button"
      aria-label={label}
      aria-pressed={shown?.outcome === outcome && shown.truth === truth}
      onClick={() => (choice.value = { truth, predicted: null, outcome })}
    >
      {count(n)}
    </button>
  );
}

function OutcomeTable({ page, counts, titles }: { page: Page; counts: OutcomeCounts; titles: string[] }): JSX.Element {
  const all = counts.all.reduce((sum, n) => sum + n, 0);
  const rows: [ClassPlace, string, number[]][] = [[null, "all", counts.all], ...page.classes.map((name, place): [number, string, number[]] => [place, name, counts.byClass[place]])];
  return (
    <div class="table-box" role="region" aria-label="Samples by what the two heads made of them" tabIndex={0}>
      <table class="outcomes">
        <thead>
          <tr><th scope="col">Class</th>{titles.map((title) => <th key={title} scope="col">{title}</th>)}</tr>
        </thead>
        <tbody>
          {rows.map(([truth, name, numbers]) => (
            <tr key={truth}>
              <th scope="row">{name}</th>
              {OUTCOMES.map((outcome, place) => (
                <td key={outcome}>
                  <OpenOutcome truth={truth} outcome={outcome} n={numbers[place]} label={`${name}, ${titles[place]}: ${count(numbers[place])}`} />
                  {truth === null && all > 0 && <small class="quiet"> {percent(numbers[place] / all)}</small>}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Outcomes({ page, a, b }: { page: Page; a: Head; b: Head }): JSX.Element {
  const load = () => Promise.all([predictionsOf(page, a.name), predictionsOf(page, b.name)]);
  const { value, problem } = useLoaded(load, [page, a.name, b.name]);
  const counts = useMemo(() => value?.[0] && value[1] && countOutcomes(page, value[0], value[1]), [value]);
  if (problem) return <p role="alert">{problem}</p>;
  if (!value) return <p role="status">Loading …</p>;
  if (!counts) return <p>This page has no predictions of single samples.</p>;
  return <OutcomeTable page={page} counts={counts} titles={OUTCOMES.map((outcome) => outcomeWords(outcome, "A", "B"))} />;
}

export function HeadsView({ page }: { page: Page }): JSX.Element {
  const a = page.heads.find(({ name }) => name === shownHead.value);
  const b = page.heads.find(({ name }) => name === other.value);
  if (!a || !b) return <p>There are no two heads to hold against each other.</p>;
  return (
    <>
      <div class="view-head">
        <h2>Head against head</h2>
        <HeadChoice label="A" page={page} value={a.name} onChange={showHead} />
        <HeadChoice label="B" page={page} value={b.name} onChange={(name) => (other.value = name)} />
      </div>
      <Verdicts heads={a === b ? [a] : [a, b]} />
      {a === b ? <p>Choose two different heads.</p> : <Outcomes page={page} a={a} b={b} />}
    </>
  );
}
