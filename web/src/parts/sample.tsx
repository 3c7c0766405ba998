// One sample large: channels, probabilities by head, neighbours, group, near copies, values.

import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Page } from "../data";
import { head, isBlind, sample } from "../state";
import { ChannelBar } from "./channel_bar";
import { described, factsOf, idOf } from "./facts";
import { LargePicture } from "./large/picture";
import { Probabilities } from "./large/probabilities";
import { NearCopies, Neighbours, SameGroup } from "./large/relatives";
import { Values } from "./large/values";
import { useLoaded } from "./loaded";
import { ordered } from "./ordering";
import { RelabelControl } from "./relabel_control";

/** The chosen sample that is `step` further; null where there is none. */
function beside(row: number, step: number): number | null {
  const place = ordered.value.indexOf(row);
  return place < 0 ? null : (ordered.value[place + step] ?? null);
}

function go(row: number | null): void {
  if (row !== null) sample.value = row;
}

function onKey(event: KeyboardEvent, row: number): void {
  const isField = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
  if (isField || event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.key === "ArrowLeft") go(beside(row, -1));
  if (event.key === "ArrowRight") go(beside(row, 1));
}

function Steps({ row }: { row: number }): JSX.Element | null {
  const place = ordered.value.indexOf(row);
  if (place < 0) return null;
  const [before, after] = [beside(row, -1), beside(row, 1)];
  return (
    <span class="steps">
      <button type="button" disabled={before === null} onClick={() => go(before)}>← Previous</button>
      <span class="quiet">{(place + 1).toLocaleString("en")} of {ordered.value.length.toLocaleString("en")}</span>
      <button type="button" disabled={after === null} onClick={() => go(after)}>Next →</button>
    </span>
  );
}

/** Close the sample; in a gallery the focus goes to the picture of the one that was shown last. */
function closed(row: number): void {
  sample.value = null;
  if (!document.activeElement?.closest(".gallery .items")) return;
  document.querySelector<HTMLElement>(`.gallery .items [data-row="${row}"]`)?.focus();
}

export function SamplePanel({ page, row }: { page: Page; row: number }): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    // A modal dialog keeps the focus inside, and gives it back when it closes.
    const opened = dialog.current!;
    if (!opened.open) opened.showModal();
    return () => opened.close();
  }, []);
  const id = useLoaded(() => idOf(page, row), [page, row]).value ?? "";
  const facts = useLoaded(() => factsOf(page, head.value), [page, head.value]).value;
  return (
    <dialog ref={dialog} class="sample" aria-labelledby="sample-title" onClose={() => closed(row)}
      onClick={(event) => event.target === dialog.current && dialog.current?.close()}
      onKeyDown={(event) => onKey(event, row)}>
      <div class="inside">
        <header>
          <h2 id="sample-title">{id}</h2>
          <Steps row={row} />
          <button type="button" onClick={() => dialog.current?.close()}>Close</button>
        </header>
        <p role="status">{facts && described(facts, row, isBlind.value)}</p>
        <ChannelBar page={page} />
        <div class="columns">
          <LargePicture page={page} row={row} />
          <div>
            <RelabelControl page={page} row={row} />
            {!isBlind.value && <Probabilities page={page} row={row} />}
            <Values page={page} row={row} />
          </div>
        </div>
        <NearCopies page={page} row={row} />
        <SameGroup page={page} row={row} />
        <Neighbours page={page} row={row} />
      </div>
    </dialog>
  );
}
