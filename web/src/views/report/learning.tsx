// Learning curves: what more samples would bring.

import type { JSX } from "preact";
import type { Overview } from "../../data";
import { CurveFigure } from "../../parts/figures/curves";
import { count, interval } from "../../words";
import { Section, TableBox } from "./section";

export function Learning({ curves: all }: { curves: Overview["curves"] }): JSX.Element | null {
  const curves = all.filter(({ points }) => points.length > 0);
  if (curves.length === 0) return null;
  const sizes = [...new Set(curves.flatMap(({ points }) => points.map(({ nTrain }) => nTrain)))].sort((a, b) => a - b);
  return (
    <Section title="Learning curves">
      <CurveFigure curves={curves} />
      <TableBox label="Scores by number of training samples">
        <table>
          <thead>
            <tr>
              <th scope="col" class="number">Training samples</th>
              {curves.map(({ head }) => <th key={head} scope="col">{head}</th>)}
            </tr>
          </thead>
          <tbody>
            {sizes.map((size) => (
              <tr key={size}>
                <th scope="row" class="number">{count(size)}</th>
                {curves.map(({ head, points }) => {
                  const point = points.find(({ nTrain }) => nTrain === size);
                  return <td key={head} class="figures">{point ? interval(point) : ""}</td>;
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </TableBox>
    </Section>
  );
}
