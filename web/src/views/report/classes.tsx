// Scores of each class of the head that is shown.

import type { JSX } from "preact";
import type { ClassScore, Head } from "../../data";
import { SmallInterval } from "../../parts/figures/interval_bar";
import { count, score } from "../../words";
import { Section, TableBox } from "./section";

export function Recall({ value: { n, recall, low, high } }: { value: ClassScore }): JSX.Element {
  if (n === 0) return <span class="quiet">no samples</span>;
  return (
    <span class="recall">
      <SmallInterval value={{ score: recall, low, high }} />{" "}
      <span class="figures">{score(recall)} [{score(low)}, {score(high)}]</span>
    </span>
  );
}

export function Classes({ head }: { head: Head }): JSX.Element | null {
  if (head.perClass.length === 0) return null;
  return (
    <Section title={`Classes of ${head.name}`}>
      <TableBox label={`Scores of the classes of ${head.name}`}>
        <table>
          <thead>
            <tr>
              <th scope="col">Class</th>
              <th scope="col" class="number">n</th>
              <th scope="col">Recall with 95 % interval</th>
              <th scope="col" class="number">Precision</th>
            </tr>
          </thead>
          <tbody>
            {head.perClass.map((one) => (
              <tr key={one.name}>
                <th scope="row">{one.name}</th>
                <td class="number">{count(one.n)}</td>
                <td><Recall value={one} /></td>
                <td class="number">{one.precision === null ? <span class="quiet">never predicted</span> : score(one.precision)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </TableBox>
    </Section>
  );
}
