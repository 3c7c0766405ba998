// Where samples lie on the map, in the plot's own coordinates.

import { categoriesOf, codesOf, columnOf, noValue, numbersOf } from "../../columns";
import type { Page } from "../../data";

/** x and y, each from -1 to 1, then the numbers of its colour and of its look. */
export type Point = [number, number, number, number];

export interface Places {
  points: Point[];
  /** The sample of each point. */
  rows: Uint32Array;
  /** Samples without coordinates. */
  nWithout: number;
  /** Whether each sample was held out or is new; null where none was. */
  isHeldOut: Uint8Array | null;
}

/** Part of the plot that points fill: none lies on its edge. */
const FILLED = 0.95;

export async function placesOf(page: Page): Promise<Places> {
  const [x, y] = [columnOf(page, "x"), columnOf(page, "y")];
  const none = new Float32Array(page.nSamples).fill(NaN);
  const [left, up] = await Promise.all([x ? numbersOf(x) : none, y ? numbersOf(y) : none]);
  const rows = mixed(page.nSamples).filter((row) => Number.isFinite(left[row]) && Number.isFinite(up[row]));
  const [middleX, spanX] = extent(left);
  const [middleY, spanY] = extent(up);
  // One scale for both axes: distances along them are comparable.
  const scale = (2 * FILLED) / (Math.max(spanX, spanY) || 1);
  const points = Array.from(rows, (row): Point => [(left[row] - middleX) * scale, (up[row] - middleY) * scale, 0, 0]);
  return { points, rows, nWithout: page.nSamples - rows.length, isHeldOut: await heldOut(page) };
}

/** Rows in an order in which neighbouring rows are far apart, so that no class is drawn over the others as a whole. */
function mixed(n: number): Uint32Array {
  let step = Math.max(Math.floor(n * 0.618), 1);
  while (divisor(step, n) !== 1) step++;
  const rows = new Uint32Array(n);
  for (let place = 0, row = 0; place < n; place++, row = (row + step) % n) rows[place] = row;
  return rows;
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}

/** The middle and the span of the finite numbers. */
function extent(numbers: Float32Array): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const number of numbers) {
    if (!Number.isFinite(number)) continue;
    low = Math.min(low, number);
    high = Math.max(high, number);
  }
  return low <= high ? [(low + high) / 2, high - low] : [0, 0];
}

async function heldOut(page: Page): Promise<Uint8Array | null> {
  const column = columnOf(page, "origin");
  if (!column) return null;
  const [codes, categories] = await Promise.all([codesOf(column), categoriesOf(column)]);
  const fitted = Math.max(categories.indexOf("fitted"), 0);
  const none = noValue(column);
  return Uint8Array.from(codes, (code) => Number(code !== fitted && code !== none));
}
