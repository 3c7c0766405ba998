// The comparison of heads: one figure, the same as a table, and the verdicts in words.

import type { JSX } from "preact";
import type { Head, Page } from "../../data";
import { IntervalFigure } from "../../parts/figures/intervals";
import { interval } from "../../words";
import { Section, Sentences, TableBox } from "./section";

function settingsText(settings: Head["settings"]): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name} = ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");
}

function secondsText(seconds: number | null): string {
  if (seconds === null) return "";
  return seconds < 100 ? `${seconds.toFixed(1)} s` : `${(seconds / 60).toFixed(0)} min`;
}

/** Under a score: "worse: behind by 0.031 [0.022, 0.040]". */
function verdictWords({ verdict, behind }: Head): string {
  return [verdict, behind].filter(Boolean).join(": ");
}

function HeadsTable({ heads }: { heads: Head[] }): JSX.Element {
  const hasSettings = heads.some(({ settings }) => Object.keys(settings).length > 0);
  const hasSeconds = heads.some(({ seconds }) => seconds !== null);
  return (
    <TableBox label="Scores of the heads">
      <table>
        <thead>
          <tr>
            <th scope="col">Head</th>
            <th scope="col">Balanced accuracy</th>
            <th scope="col">Verdict</th>
            {hasSeconds && <th scope="col">Time</th>}
            {hasSettings && <th scope="col">Settings</th>}
          </tr>
        </thead>
        <tbody>
          {heads.map((head) => (
            <tr key={head.name}>
              <th scope="row">{head.name}</th>
              <td class="figures">{interval(head)}</td>
              <td>{verdictWords(head)}</td>
              {hasSeconds && <td class="figures">{secondsText(head.seconds)}</td>}
              {hasSettings && <td>{settingsText(head.settings)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </TableBox>
  );
}

export function Comparison({ page }: { page: Page }): JSX.Element | null {
  if (page.heads.length === 0) return null;
  const rows = page.heads.map((head) => ({ ...head, words: verdictWords(head) }));
  return (
    <Section title={page.heads.length > 1 ? "Comparison of heads" : "Score"}>
      <IntervalFigure
        rows={rows}
        axis="Balanced accuracy"
        caption="Dots: balanced accuracy. Bars: 95 % intervals. The axis shows only the range that is needed."
      />
      <HeadsTable heads={page.heads} />
      {page.overview.verdicts.length > 0 && <Sentences texts={page.overview.verdicts} />}
    </Section>
  );
}
