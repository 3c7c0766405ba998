// Probabilities of the classes, by head.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { columnOf, probabilitiesOf, textOf } from "../../columns";
import type { Head, Page } from "../../data";
import { useLoaded } from "../loaded";

/** Classes that are shown at first. */
const FIRST = 6;

interface HeadBarsProps {
  page: Page;
  head: Head;
  row: number;
  truth: string;
}

function HeadBars({ page, head, row, truth }: HeadBarsProps): JSX.Element | null {
  const [showsAll, setAll] = useState(false);
  const values = useLoaded(() => probabilitiesOf(page, head, row), [page, head, row]).value;
  if (!values) return null;
  const sorted = page.classes.map((name, place) => ({ name, value: values[place] })).sort((a, b) => b.value - a.value);
  // The true class is always among those shown.
  const shown = showsAll ? sorted : sorted.filter(({ name }, place) => place < FIRST || name === truth);
  return (
    <section>
      <h3>{head.name}</h3>
      <table class="bars">
        <thead class="hidden"><tr><th scope="col">Class</th><th scope="col">Probability</th><th scope="col">Bar</th></tr></thead>
        <tbody>
          {shown.map(({ name, value }) => (
            <tr key={name}>
              <th scope="row">{name}{name === truth && <strong> (label)</strong>}</th>
              <td class="number">{value.toFixed(3)}</td>
              <td class="bar"><span class={name === truth ? "true" : ""} style={{ width: `${value * 100}%` }} /></td>
            </tr>
          ))}
        </tbody>
      </table>
      {sorted.length > shown.length && <button type="button" onClick={() => setAll(true)}>All {sorted.length} classes</button>}
    </section>
  );
}

export function Probabilities({ page, row }: { page: Page; row: number }): JSX.Element | null {
  const column = columnOf(page, "label");
  const truth = useLoaded(async () => (column ? textOf(page, column, row) : ""), [page, row]).value ?? "";
  const heads = page.heads.filter((one) => one.probabilities !== null);
  if (heads.length === 0) return null;
  return (
    <section class="probabilities">
      <h3 class="title">Probabilities</h3>
      {heads.map((one) => (
        <HeadBars key={one.name} page={page} head={one} row={row} truth={truth} />
      ))}
    </section>
  );
}
