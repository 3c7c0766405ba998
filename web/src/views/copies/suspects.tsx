// Labels that a head contradicts, the most suspicious first.

import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Page, Suspect } from "../../data";
import { factsOf, idsOf, type Facts } from "../../parts/facts";
import { useLoaded } from "../../parts/loaded";
import { Pages } from "../../parts/pages";
import { Thumbnail } from "../../parts/thumbnail";
import { judge, judgementOf, noteSeen } from "../../relabel";
import { choose, head as shownHead, isBlind, sample, showMistakes } from "../../state";
import { judgementFor } from "../relabelling/evidence";

const A_PAGE = 24;
const SIDE = 128;

interface ItemProps {
  page: Page;
  suspect: Suspect;
  id: string;
  facts: Facts | null;
}

function judged(row: number): string {
  const found = judgementOf(row);
  if (!found || found.label === found.before) return "";
  return found.label === "" ? "judged: cannot tell" : `judged: ${found.label}`;
}

function Choices({ page, suspect: { row, predicted }, facts }: Omit<ItemProps, "id">): JSX.Element | null {
  if (!facts) return null;
  const before = facts.label(row);
  const now = judgementOf(row)?.label;
  const give = async (label: string): Promise<void> => judge(await judgementFor(page, facts, row, label));
  return (
    <div class="tools">
      <button type="button" aria-pressed={now === before} onClick={() => give(before)}>Keep {before}</button>
      <button type="button" aria-pressed={now === predicted} onClick={() => give(predicted)}>Take {predicted}</button>
    </div>
  );
}

function Item({ page, suspect, id, facts }: ItemProps): JSX.Element {
  const { row, label, predicted, confidence, head, detail } = suspect;
  const sure = confidence === null ? "" : ` (${confidence.toFixed(2)})`;
  return (
    <li class="suspect">
      <button type="button" class="framed" aria-label={`Open ${id} large: ${label}, predicted ${predicted}`} onClick={() => (sample.value = row)}>
        <Thumbnail page={page} row={row} side={SIDE} label="" />
      </button>
      <div>
        <div>label <strong>{label}</strong></div>
        <div>{head} predicts <strong>{predicted}</strong>{sure}</div>
        <div class="quiet">{detail}</div>
        <div class="quiet">{id}</div>
        {judged(row) && <div class="mark">{judged(row)}</div>}
        <Choices page={page} suspect={suspect} facts={facts} />
      </div>
    </li>
  );
}

export function Suspects({ page, suspects }: { page: Page; suspects: Suspect[] }): JSX.Element {
  const [start, setStart] = useState(0);
  const ordered = useMemo(() => [...suspects].sort((a, b) => (b.confidence ?? 0) - (a.confidence ?? 0)), [suspects]);
  const shown = useMemo(() => ordered.slice(start, start + A_PAGE), [ordered, start]);
  const ids = useLoaded(() => idsOf(page, shown.map(({ row }) => row)), [page, shown]).value;
  const facts = useLoaded(() => factsOf(page, shownHead.value), [page, shownHead.value]).value;
  useEffect(() => {
    if (!isBlind.value) noteSeen(shown.map(({ row }) => row));
  }, [shown, isBlind.value]);
  if (isBlind.value) return <p>These are hidden while you judge blind.</p>;
  return (
    <>
      <div class="tools">
        <button type="button" onClick={() => choose("Suspicious labels", ordered.map(({ row }) => row))}>Open as gallery</button>
        {page.heads.length > 0 && <button type="button" onClick={showMistakes}>All mistakes of {shownHead.value}</button>}
      </div>
      <p class="quiet">
        The labels that the audit finds most suspicious, the most confident contradiction first. Open a sample to give it yet
        another label.
      </p>
      <ul class="suspects">
        {shown.map((suspect, place) => <Item key={suspect.row} page={page} suspect={suspect} facts={facts} id={ids?.[place] ?? ""} />)}
      </ul>
      <Pages name="Pages of suspicious labels" start={start} size={A_PAGE} total={ordered.length} onGo={setStart} />
    </>
  );
}
