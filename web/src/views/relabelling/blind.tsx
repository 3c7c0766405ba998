// Samples one after the other, their predictions hidden.

import type { JSX } from "preact";
import { useLayoutEffect, useMemo, useState } from "preact/hooks";
import type { Page } from "../../data";
import { ChannelBar } from "../../parts/channel_bar";
import type { Facts } from "../../parts/facts";
import { isTyping, keyOf } from "../../parts/keys";
import { LargePicture } from "../../parts/large/picture";
import { RelabelControl } from "../../parts/relabel_control";
import { canUndo, judgementOf, judgements, seenRows, undo } from "../../relabel";
import { head, isBlind, setBlind } from "../../state";
import { blindQueue } from "./queue";

function Introduction({ n, nSeen, nJudged }: { n: number; nSeen: number; nJudged: number }): JSX.Element {
  return (
    <>
      <p>
        You see samples one after the other: those where {head.value} disagrees with the label, mixed with as many where it
        agrees, in random order. Predictions are hidden, so that they cannot lead you.
      </p>
      <p>
        {n.toLocaleString("en")} samples{nJudged > 0 && `, ${nJudged.toLocaleString("en")} of them judged`}.
        {nSeen > 0 && ` ${nSeen.toLocaleString("en")} more are left out: you have seen their predictions, or judged them with predictions shown.`}
      </p>
      {n > 0 && <button type="button" onClick={() => setBlind(true)}>{nJudged ? "Go on judging blind" : "Judge blind"}</button>}
    </>
  );
}

/** What the blind judgements say about the labels, once there are any. */
export function BlindResult(): JSX.Element | null {
  const blind = judgements.value.filter((one) => one.seen === "blind" && one.predicted !== "");
  if (blind.length === 0 || isBlind.value) return null;
  const told = [true, false].map((isAgreed) => {
    const those = blind.filter((one) => (one.predicted === one.before) === isAgreed);
    return `${those.filter((one) => one.label !== one.before).length} of ${those.length}`;
  });
  return <p>Judged blind, you changed {told[1]} labels where the head disagreed, and {told[0]} where it agreed.</p>;
}

function OneByOne({ page, queue }: { page: Page; queue: number[] }): JSX.Element {
  const [skipped, setSkipped] = useState<ReadonlySet<number>>(new Set());
  const open = queue.filter((row) => !judgementOf(row));
  const row = open.find((one) => !skipped.has(one)) ?? open[0];
  const skip = (): void => setSkipped(new Set([...skipped, row]));
  useLayoutEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (isTyping(event) || document.querySelector("dialog[open]")) return;
      if (keyOf(event) === "u") undo();
      if (keyOf(event) === "x") skip();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  });
  const nJudged = queue.length - open.length;
  return (
    <div class="one-by-one">
      <p>
        <label>
          <progress max={queue.length} value={nJudged} /> {nJudged.toLocaleString("en")} of {queue.length.toLocaleString("en")} judged
        </label>
      </p>
      {row === undefined ? <p role="status">All samples are judged.</p> : (
        <>
          <RelabelControl page={page} row={row} />
          <ChannelBar page={page} />
          <LargePicture page={page} row={row} />
        </>
      )}
      <div class="tools">
        {row !== undefined && <button type="button" aria-keyshortcuts="x" onClick={skip}>Later <kbd aria-hidden="true">x</kbd></button>}
        <button type="button" aria-keyshortcuts="u" disabled={!canUndo.value} onClick={undo}>Undo <kbd aria-hidden="true">u</kbd></button>
      </div>
    </div>
  );
}

export function Blind({ page, facts }: { page: Page; facts: Facts }): JSX.Element {
  const everyone = useMemo(() => blindQueue(page, facts, head.value), [page, facts]);
  // What is seen after the start is seen blind: the queue stays as it is.
  const queue = useMemo(() => everyone.filter((row) => judgementOf(row)?.seen === "blind" || !(seenRows.value.has(row) || judgementOf(row))), [everyone, isBlind.value, seenRows.value]);
  if (isBlind.value) return <OneByOne page={page} queue={queue} />;
  const nJudged = queue.filter((row) => judgementOf(row)).length;
  return <Introduction n={queue.length} nSeen={everyone.length - queue.length} nJudged={nJudged} />;
}
