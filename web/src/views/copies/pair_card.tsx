// Two samples side by side, with the place that both show outlined, and one laid over the other.

import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Page, Pair } from "../../data";
import { Thumbnail } from "../../parts/thumbnail";
import { verdictOf, type PairVerdict } from "../../relabel";
import { sample } from "../../state";
import { place, type Box, type Placed } from "./overlap";
import type { Laying } from "./shown";

export interface Member {
  id: string;
  label: string;
}

interface Props {
  page: Page;
  pair: Pair;
  members: [Member, Member];
  side: number;
  isCurrent: boolean;
  laying: Laying;
  onVerdict: (verdict: PairVerdict["verdict"]) => void;
  onEnter: () => void;
}

function Outline({ box }: { box: Box }): JSX.Element {
  const percent = (share: number): string => `${100 * share}%`;
  const style = { left: percent(box.x), top: percent(box.y), width: percent(box.width), height: percent(box.height) };
  return <span class="place" style={style} />;
}

interface OneProps {
  page: Page;
  row: number;
  member: Member;
  side: number;
  box?: Box;
}

function One({ page, row, member, side, box }: OneProps): JSX.Element {
  return (
    <figure>
      <button type="button" class="framed" aria-label={`Open ${member.id} large`} onClick={() => (sample.value = row)}>
        <Thumbnail page={page} row={row} side={side} label="" />
        {box && <Outline box={box} />}
      </button>
      <figcaption style={{ width: `${side}px` }}>
        {member.label || "no label"} <span class="quiet">{member.id}</span>
      </figcaption>
    </figure>
  );
}

/** b over a, half transparent or in turn with it. */
function Laid({ page, pair, side, placed, laying }: { page: Page; pair: Pair; side: number; placed: Placed | null; laying: Laying }): JSX.Element {
  const [isOn, setOn] = useState(true);
  useEffect(() => {
    if (laying !== "flicker") return;
    const timer = setInterval(() => setOn((before) => !before), 600);
    return () => clearInterval(timer);
  }, [laying]);
  const opacity = laying === "over" ? 0.5 : isOn ? 1 : 0;
  const words = laying === "over" ? "right over left, half transparent" : "left and right in turn";
  return (
    <figure class="laid">
      <span class="framed" role="img" aria-label={words} style={{ width: `${side}px`, height: `${side}px` }}>
        <Thumbnail page={page} row={pair.a} side={side} label="" />
        <span class="upper" style={{ opacity, transform: placed?.transform }}>
          <Thumbnail page={page} row={pair.b} side={side} label="" />
        </span>
      </span>
      <figcaption class="quiet" style={{ width: `${side}px` }}>{words}</figcaption>
    </figure>
  );
}

function Verdict({ pair, onVerdict }: Pick<Props, "pair" | "onVerdict">): JSX.Element {
  const verdict = verdictOf(pair)?.verdict;
  return (
    <p class="verdict">
      <button type="button" aria-pressed={verdict === "copies"} onClick={() => onVerdict("copies")}>Really copies</button>
      <button type="button" aria-pressed={verdict === "not copies"} onClick={() => onVerdict("not copies")}>Not copies</button>
    </p>
  );
}

export function PairCard({ page, pair, members, side, isCurrent, laying, onVerdict, onEnter }: Props): JSX.Element {
  const card = useRef<HTMLLIElement>(null);
  const placed = useMemo(() => pair.overlap && place(pair.overlap, side), [pair, side]);
  // At once: a later focus could meet another card that has become the current one.
  useLayoutEffect(() => {
    if (!isCurrent || card.current!.contains(document.activeElement)) return;
    card.current!.focus({ preventScroll: true });
    card.current!.scrollIntoView({ block: "nearest" });
  }, [isCurrent]);
  return (
    <li ref={card} class="pair-card" tabIndex={-1} aria-current={isCurrent ? "true" : undefined} 
      onFocusIn={(event) => event.target !== card.current && onEnter()} onMouseDown={onEnter}>
      <p><strong>{pair.finding}</strong>{pair.detail && <>: {pair.detail}</>}</p>
      <div class="both">
        <One page={page} row={pair.a} member={members[0]} side={side} box={placed?.onA} />
        <One page={page} row={pair.b} member={members[1]} side={side} box={placed?.onB} />
        {isCurrent && laying !== "beside" && <Laid {...{ page, pair, side, placed, laying }} />}
      </div>
      {placed?.words && <p class="quiet">{placed.words}</p>}
      {!placed && <p class="quiet">Where they overlap is not known.</p>}
      <Verdict pair={pair} onVerdict={onVerdict} />
    </li>
  );
}
