// What changed labels do to the scores: changing labels where a head disagreed raises its score by itself.

import type { JSX } from "preact";
import type { OldAndNewLabels, Relabelling } from "../../data";
import { IntervalFigure, type IntervalRow } from "../../parts/figures/intervals";
import { count, interval } from "../../words";
import { Section, Sentences, TableBox } from "./section";

const ALL = "all samples";
const UNSEEN = "without those changed after seeing a prediction";

type HeadLabels = Relabelling["heads"][number];

function pair(head: string, samples: string, value: OldAndNewLabels | null): IntervalRow[] {
  if (!value) return [];
  const words = [`${head}, ${samples}`];
  return [{ ...value.old, name: "old labels", words }, { ...value.new, name: "new labels", words }];
}

function Scores({ head, samples, value }: { head: string; samples: string; value: OldAndNewLabels }): JSX.Element {
  return (
    <tr>
      <th scope="row">{head}</th>
      <td>{samples}</td>
      <td class="number">{count(value.nSamples)}</td>
      <td class="figures">{interval(value.old)}</td>
      <td class="figures">{interval(value.new)}</td>
      <td class="figures">{interval(value.gain)}</td>
    </tr>
  );
}

function LabelsTable({ heads }: { heads: HeadLabels[] }): JSX.Element {
  return (
    <TableBox label="Scores by old and new labels">
      <table>
        <thead>
          <tr>
            <th scope="col">Head</th>
            <th scope="col">Samples</th>
            <th scope="col" class="number">n</th>
            <th scope="col">Old labels</th>
            <th scope="col">New labels</th>
            <th scope="col">Gain</th>
          </tr>
        </thead>
        <tbody>
          {heads.flatMap(({ head, all, unseen }) => [
            all && <Scores key={`${head} all`} head={head} samples={ALL} value={all} />,
            unseen && <Scores key={`${head} unseen`} head={head} samples={UNSEEN} value={unseen} />,
          ])}
        </tbody>
      </table>
    </TableBox>
  );
}

export function ChangedLabels({ relabelling }: { relabelling: Relabelling | null | undefined }): JSX.Element | null {
  if (!relabelling) return null;
  const rows = relabelling.heads.flatMap(({ head, all, unseen }) => [...pair(head, ALL, all), ...pair(head, "without seen", unseen)]);
  const reasons = relabelling.heads
    .filter(({ whyNot }) => whyNot && !relabelling.sentences.some((sentence) => sentence.includes(whyNot)))
    .map(({ head, whyNot }) => `${head}: ${whyNot}`);
  return (
    <Section title="Changed labels">
      <Sentences texts={[...relabelling.sentences, ...reasons]} />
      {rows.length > 0 && (
        <>
          <IntervalFigure
            rows={rows}
            axis="Balanced accuracy"
            caption="Compare old and new labels of the same samples. “Without seen” leaves out samples whose label was changed after a prediction was seen: those changes raise a score by themselves."
          />
          <LabelsTable heads={relabelling.heads} />
        </>
      )}
    </Section>
  );
}
