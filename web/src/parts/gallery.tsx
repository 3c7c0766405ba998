// The chosen samples, in their order; pages through them, and opens one.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { columnOf } from "../columns";
import type { Page } from "../data";
import { judgementOf, noteSeen } from "../relabel";
import { head, isBlind, sample, selection as chosen, type Selection } from "../state";
import { ChannelBar } from "./channel_bar";
import { factsOf, idOf, type Facts } from "./facts";
import { GalleryTools } from "./gallery_tools";
import { useLoaded } from "./loaded";
import { ordered, sortAs } from "./ordering";
import { hasPictures } from "./pictures/sheets";
import { Thumbnail } from "./thumbnail";

const A_PAGE = 60;

export type Size = "S" | "M" | "L";
const SIDES: Record<Size, number> = { S: 64, M: 104, L: 176 };

interface ItemProps {
  page: Page;
  row: number;
  side: number;
  facts: Facts | null;
}

/** The label of a sample, where the page has labels, and its identifier. */
function Name({ page, row, label }: { page: Page; row: number; label: string }): JSX.Element {
  const hasLabels = columnOf(page, "label") !== undefined;
  const id = useLoaded(() => idOf(page, row), [page, row]).value ?? "";
  return (
    <>
      {hasLabels && <span>{label || "no label"}</span>}
      <span class="id" title={id}>{id}</span>
    </>
  );
}

function Caption({ page, row, facts }: { page: Page; row: number; facts: Facts }): JSX.Element {
  const predicted = isBlind.value ? "" : facts.predicted(row);
  const confidence = facts.confidence(row);
  const isWrong = facts.isWrong(row);
  const label = facts.label(row);
  return (
    <span class="caption">
      <Name page={page} row={row} label={label} />
      {predicted && (
        <span class="quiet">
          <span aria-hidden="true">{isWrong ? "✗ " : label && "✓ "}</span>
          <span class="hidden">{isWrong ? "wrong, predicted " : "predicted "}</span>
          {isWrong || !label ? `${predicted} ` : <span class="hidden">correctly </span>}
          {!Number.isNaN(confidence) && confidence.toFixed(2)}
        </span>
      )}
      <Judged row={row} />
    </span>
  );
}

/** What a person has said of the label. */
function Judged({ row }: { row: number }): JSX.Element | null {
  const judged = judgementOf(row);
  if (!judged) return null;
  return <span class="mark">{judged.label === judged.before ? "kept" : judged.label ? `now ${judged.label}` : "cannot tell"}</span>;
}

function Item({ page, row, side, facts }: ItemProps): JSX.Element {
  const isWrong = !isBlind.value && facts !== null && facts.isWrong(row);
  return (
    <li>
      <button
        type="button"
        class={isWrong ? "item wrong" : "item"}
        style={{ width: `${side + 14}px` }}
        data-row={row}
        onClick={() => (sample.value = row)}
      >
        <Thumbnail page={page} row={row} side={side} label="" />
        {facts ? <Caption page={page} row={row} facts={facts} /> : <span class="hidden">sample {row}</span>}
      </button>
    </li>
  );
}

/** Move the focus among the buttons of a grid by arrow keys, Home and End. */
function moveFocus(event: JSX.TargetedKeyboardEvent<HTMLElement>): void {
  const buttons = [...event.currentTarget.querySelectorAll<HTMLElement>("button")];
  const place = buttons.indexOf(document.activeElement as HTMLElement);
  if (place < 0) return;
  const top = buttons[0].offsetTop;
  const across = Math.max(buttons.filter((button) => button.offsetTop === top).length, 1);
  const steps: Record<string, number> = {
    ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across, Home: -place, End: buttons.length - 1 - place,
  };
  const next = buttons[place + steps[event.key]];
  if (!next) return;
  event.preventDefault();
  next.focus();
}

export function Gallery({ page, selection }: { page: Page; selection: Selection }): JSX.Element {
  const [start, setStart] = useState(0);
  const [size, setSize] = useState<Size>("M");
  const facts = useLoaded(() => factsOf(page, head.value), [page, head.value]).value;
  const frame = useRef<HTMLElement>(null);
  useEffect(() => {
    setStart(0);
    void sortAs(page, "given");
    frame.current!.scrollTop = 0;
  }, [selection]);
  const rows = ordered.value;
  const last = Math.min(start + A_PAGE, rows.length);
  // Captions show predictions.
  useEffect(() => {
    if (!isBlind.value && facts) noteSeen(Array.from(rows.subarray(start, last)).filter((row) => facts.predicted(row) !== ""));
  }, [rows, start, facts, isBlind.value]);
  return (
    <aside ref={frame} class="gallery" aria-label="Chosen samples">
      <header>
        <h2>{selection.title}</h2>
        <button type="button" onClick={() => (chosen.value = null)}>Close</button>
      </header>
      <p class="quiet" role="status">{rows.length.toLocaleString("en")} {rows.length === 1 ? "sample" : "samples"}</p>
      {!hasPictures(page) && page.picturesNote && <p class="quiet">{page.picturesNote}</p>}
      {rows.length > 0 && <GalleryTools {...{ page, rows, size }} onSize={setSize} onSort={() => setStart(0)} />}
      <ChannelBar page={page} />
      <ul class="items" onKeyDown={moveFocus}>
        {Array.from(rows.subarray(start, last), (row) => (
          <Item key={row} {...{ page, row, facts }} side={SIDES[size]} />
        ))}
      </ul>
      {rows.length > A_PAGE && (
        <nav class="pages" aria-label="Pages of the gallery">
          <button type="button" disabled={start === 0} onClick={() => setStart(start - A_PAGE)}>Previous</button>
          <span>{(start + 1).toLocaleString("en")} to {last.toLocaleString("en")}</span>
          <button type="button" disabled={last === rows.length} onClick={() => setStart(start + A_PAGE)}>Next</button>
        </nav>
      )}
    </aside>
  );
}
