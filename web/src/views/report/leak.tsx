// What scores would have been claimed if copies had been split between training and test.

import type { JSX } from "preact";
import type { Overview } from "../../data";
import { IntervalFigure } from "../../parts/figures/intervals";
import { interval } from "../../words";
import { Section, Sentences, TableBox } from "./section";

type Leak = NonNullable<Overview["leak"]>;

function LeakTable({ rows }: { rows: Leak["rows"] }): JSX.Element {
  return (
    <TableBox label="Scores by folds">
      <table>
        <thead><tr><th scope="col">Folds</th><th scope="col">Head</th><th scope="col">Balanced accuracy</th></tr></thead>
        <tbody>
          {rows.map((row, place) => (
            <tr key={place}><th scope="row">{row.name}</th><td>{row.head}</td><td class="figures">{interval(row)}</td></tr>
          ))}
        </tbody>
      </table>
    </TableBox>
  );
}

export function LeakPrice({ leak }: { leak: Overview["leak"] }): JSX.Element | null {
  if (!leak) return null;
  return (
    <Section title="Price of the leak">
      <Sentences texts={leak.sentences} />
      {leak.rows.length > 0 && (
        <>
          <IntervalFigure
            rows={leak.rows.map((row) => ({ ...row, words: [row.head] }))}
            axis="Balanced accuracy"
            caption="The same head scored with folds that keep more and more of the related samples together."
          />
          <LeakTable rows={leak.rows} />
        </>
      )}
    </Section>
  );
}
