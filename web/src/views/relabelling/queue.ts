// The samples that are judged blind: where the head disagrees with the label, mixed with as many where it agrees.

import type { Page } from "../../data";
import type { Facts } from "../../parts/facts";

/** Numbers in [0, 1) that depend on a text alone: the queue is the same after the page was closed. */
function drawing(seed: string): () => number {
  let state = 2166136261;
  for (const letter of seed) state = Math.imul(state ^ letter.codePointAt(0)!, 16777619);
  // mulberry32
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Put the first `n` entries in random order, drawn from all entries. */
function shuffle(rows: number[], draw: () => number, n = rows.length): number[] {
  for (let place = 0; place < Math.min(n, rows.length); place++) {
    const other = place + Math.floor(draw() * (rows.length - place));
    [rows[place], rows[other]] = [rows[other], rows[place]];
  }
  return rows.slice(0, n);
}

export function blindQueue(page: Page, facts: Facts, head: string): number[] {
  const disagreed: number[] = [];
  const agreed: number[] = [];
  for (let row = 0; row < page.nSamples; row++) {
    const label = facts.label(row);
    const predicted = facts.predicted(row);
    if (label && predicted) (label === predicted ? agreed : disagreed).push(row);
  }
  const draw = drawing(`${page.digest} ${head}`);
  return shuffle([...disagreed, ...shuffle(agreed, draw, disagreed.length)], draw);
}
