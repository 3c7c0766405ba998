// The comparison of heads, and of feature files: one figure, the same as a table, and the verdicts in words.

import type { JSX } from "preact";
import type { Head, Overview, Page, ScoredHead } from "../../data";
import { IntervalFigure } from "../../parts/figures/intervals";
import { interval } from "../../words";
import { Section, Sentences, TableBox } from "./section";

function settingText(value: unknown): string {
  if (value === null) return "none";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function settingsText(settings: Head["settings"]): string {
  return Object.entries(settings).map(([name, value]) => `${name} ${settingText(value)}`).join(", ");
}

function secondsText(seconds: number | null): string {
  if (seconds === null) return "";
  return seconds < 100 ? `${seconds.toFixed(1)} s` : `${(seconds / 60).toFixed(0)} min`;
}

/** Under a score: "worse", "behind by 0.031 [0.022, 0.040]". */
function verdictWords({ verdict, behind }: ScoredHead): string[] {
  return [verdict, behind].filter(Boolean);
}

function HeadsTable({ heads, label }: { heads: ScoredHead[]; label: string }): JSX.Element {
  const hasSeconds = heads.some(({ seconds }) => seconds !== null);
  return (
    <TableBox label={label}>
      <table>
        <thead>
          <tr>
            <th scope="col">Head</th>
            <th scope="col">Balanced accuracy</th>
            {heads.length > 1 && <th scope="col">Verdict</th>}
            {hasSeconds && <th scope="col">Time</th>}
          </tr>
        </thead>
        <tbody>
          {heads.map((head) => (
            <tr key={head.name}>
              <th scope="row">{head.name}</th>
              <td class="figures">{interval(head)}</td>
              {heads.length > 1 && <td class="words-cell">{verdictWords(head).join(": ")}</td>}
              {hasSeconds && <td class="figures">{secondsText(head.seconds)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </TableBox>
  );
}

function Settings({ heads }: { heads: Head[] }): JSX.Element | null {
  const set = heads.filter(({ settings }) => Object.keys(settings).length > 0);
  if (set.length === 0) return null;
  return (
    <>
      <h3>Settings</h3>
      <dl class="settings">
        {set.map(({ name, settings }) => <div key={name}><dt>{name}</dt><dd>{settingsText(settings)}</dd></div>)}
      </dl>
    </>
  );
}

export function Comparison({ page }: { page: Page }): JSX.Element | null {
  if (page.heads.length === 0) return null;
  const isCompared = page.heads.length > 1;
  const rows = page.heads.map((head) => ({ ...head, words: isCompared ? verdictWords(head) : [] }));
  return (
    <Section title={isCompared ? "Comparison of heads" : "Score"}>
      <IntervalFigure
        rows={rows}
        axis="Balanced accuracy"
        caption="Dots: balanced accuracy. Bars: 95 % intervals. The axis shows only the range that is needed."
      />
      <HeadsTable heads={page.heads} label="Scores of the heads" />
      {page.overview.verdicts.length > 0 && <Sentences texts={page.overview.verdicts} />}
      <Settings heads={page.heads} />
    </Section>
  );
}

export function FeatureFiles({ against }: { against: Overview["against"] }): JSX.Element | null {
  if (!against) return null;
  return (
    <Section title="Comparison of feature files">
      <IntervalFigure
        rows={against.rows.map((row) => ({ ...row, words: verdictWords(row) }))}
        axis="Balanced accuracy"
        caption="The same heads on several feature files of the same samples, in the same folds."
      />
      <HeadsTable heads={against.rows} label="Scores on feature files" />
      <Sentences texts={against.sentences} />
    </Section>
  );
}
