// The samples that were judged, the last one first.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Page } from "../../data";
import { Pages } from "../../parts/pages";
import { Thumbnail } from "../../parts/thumbnail";
import { canUndo, judgements, undo, withdraw, type Judgement } from "../../relabel";
import { sample } from "../../state";

const A_PAGE = 50;
const SIDE = 64;

function Row({ page, one }: { page: Page; one: Judgement }): JSX.Element {
  const { row, id, before, label, predicted, head, confidence, seen } = one;
  const sure = confidence === null ? "" : ` (${confidence.toFixed(2)})`;
  return (
    <tr>
      <td>
        <button type="button" class="framed" aria-label={`Open ${id} large`} onClick={() => (sample.value = row)}>
          <Thumbnail page={page} row={row} side={SIDE} label="" />
        </button>
      </td>
      <th scope="row">{id}</th>
      <td>{before || "no label"}</td>
      <td>{label === before ? "kept" : label || "cannot tell"}</td>
      <td>{predicted && `${head}: ${predicted}${sure}`}</td>
      <td>{seen === "blind" ? "no" : "yes"}</td>
      <td><button type="button" aria-label={`Withdraw the judgement of ${id}`} onClick={() => withdraw((other) => other.row === row)}>Withdraw</button></td>
    </tr>
  );
}

export function Judged({ page }: { page: Page }): JSX.Element {
  const [start, setStart] = useState(0);
  const all = judgements.value;
  const first = Math.min(start, Math.max(Math.floor((all.length - 1) / A_PAGE) * A_PAGE, 0));
  const shown = [...all].reverse().slice(first, first + A_PAGE);
  if (all.length === 0) return <p>Nothing is judged yet.</p>;
  return (
    <>
      <div class="tools">
        <button type="button" disabled={!canUndo.value} onClick={undo}>Undo the last</button>
      </div>
      <div class="scrolled" role="region" aria-label="Judged samples" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <td />
              <th scope="col">sample</th><th scope="col">label before</th><th scope="col">judged</th>
              <th scope="col">prediction</th><th scope="col">prediction seen</th><td />
            </tr>
          </thead>
          <tbody>{shown.map((one) => <Row key={one.row} page={page} one={one} />)}</tbody>
        </table>
      </div>
      <Pages name="Pages of judged samples" start={first} size={A_PAGE} total={all.length} onGo={setStart} />
    </>
  );
}
