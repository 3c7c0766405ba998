// Whether confidences are as often right as they claim.

import type { JSX } from "preact";
import type { Head, ReliabilityBin } from "../../data";
import { LEAST_IN_BIN, ReliabilityFigure } from "../../parts/figures/reliability";
import { count, percent, score } from "../../words";
import { Section, TableBox } from "./section";

function BinsTable({ title, bins }: { title: string; bins: ReliabilityBin[] }): JSX.Element {
  return (
    <TableBox label={title}>
      <table>
        <caption>{title}</caption>
        <thead>
          <tr>
            <th scope="col" class="number">Confidence</th>
            <th scope="col" class="number">Correct</th>
            <th scope="col" class="number">n</th>
          </tr>
        </thead>
        <tbody>
          {bins.filter(({ n }) => n > 0).map((bin) => (
            <tr key={bin.confidence}>
              <td class="number">{percent(bin.confidence)}</td>
              <td class="number">{percent(bin.correct)}</td>
              <td class="number">{count(bin.n)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableBox>
  );
}

export function Calibration({ head }: { head: Head }): JSX.Element | null {
  if (!head.reliability) return null;
  const { before, after, errorBefore, errorAfter } = head.reliability;
  const isAdjusted = errorAfter !== null && after.length > 0;
  return (
    <Section title={`Calibration of ${head.name}`}>
      <div class="keep">
        <p>
          Calibration error {score(errorBefore)}
          {isAdjusted && `; ${score(errorAfter)} after temperature scaling`}. On the dashed line, confidences are as often right
          as they claim; points below it are overconfident. Larger points stand for more samples;
          confidences of fewer than {LEAST_IN_BIN} samples have no point.
        </p>
        <div class="side-by-side">
          <ReliabilityFigure bins={before} caption={isAdjusted ? "As the head gives them." : ""} />
          {isAdjusted && <ReliabilityFigure bins={after} caption="After temperature scaling." />}
        </div>
      </div>
      <details>
        <summary>Numbers</summary>
        <div class="side-by-side">
          <BinsTable title="As the head gives them" bins={before} />
          {isAdjusted && <BinsTable title="After temperature scaling" bins={after} />}
        </div>
      </details>
    </Section>
  );
}
