// Above the gallery: order, size, and identifiers to take along.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Page } from "../data";
import { head, isBlind } from "../state";
import { columnOf } from "../columns";
import type { Size } from "./gallery";
import { MOST_BY_BLOCKS, order, sortAs, type Order } from "./ordering";
import { copyIds, downloadIds } from "./taking";

interface GalleryToolsProps {
  page: Page;
  rows: Uint32Array;
  size: Size;
  onSize: (size: Size) => void;
  onSort: () => void;
}

export function GalleryTools({ page, rows, size, onSize, onSort }: GalleryToolsProps): JSX.Element {
  const [said, say] = useState("");
  const tell = (work: Promise<void>, done: string): void => {
    work.then(() => say(done), (error: Error) => say(`This did not work: ${error.message}`));
  };
  const hasConfidence = !isBlind.value && columnOf(page, "confidence", head.value) !== undefined;
  const hasProbabilities = !isBlind.value && columnOf(page, "label") !== undefined && page.heads.some(({ name, probabilities }) => name === head.value && probabilities);
  const sort = (wanted: Order): void => {
    onSort();
    tell(sortAs(page, wanted), "");
  };
  return (
    <div class="tools">
      <label>
        Order{" "}
        <select value={order.value} onChange={(event) => sort(event.currentTarget.value as Order)}>
          <option value="given">as given</option>
          {hasConfidence && <option value="surest">most confident first</option>}
          {hasConfidence && <option value="least sure">least confident first</option>}
          {hasProbabilities && <option value="doubtful" disabled={rows.length > MOST_BY_BLOCKS}>least likely label first</option>}
          <option value="id" disabled={rows.length > MOST_BY_BLOCKS}>by identifier</option>
        </select>
      </label>
      <span role="group" aria-label="Size of the pictures">
        {(["S", "M", "L"] as Size[]).map((one) => (
          <button key={one} type="button" aria-pressed={one === size} onClick={() => onSize(one)}>{one}</button>
        ))}
      </span>
      <button type="button" onClick={() => tell(copyIds(page, rows), "Identifiers copied.")}>Copy ids</button>
      <button type="button" onClick={() => tell(downloadIds(page, rows), "")}>Download ids</button>
      <span role="status">{said}</span>
    </div>
  );
}
