// Samples that belong to one: near copies, its group, its neighbours on the map.

import type { JSX } from "preact";
import { categoriesOf, codesOf, columnOf, noValue, numbersOf, textOf } from "../../columns";
import type { Page, Pair } from "../../data";
import { loadBytes } from "../../loader";
import { choose, sample } from "../../state";
import { place, type Box } from "../../views/copies/overlap";
import { idOf } from "../facts";
import { useLoaded } from "../loaded";
import { Thumbnail } from "../thumbnail";

const NEIGHBOURS = 12;

async function labelOf(page: Page, row: number): Promise<string> {
  const column = columnOf(page, "label");
  return column ? textOf(page, column, row) : "";
}

function Relative({ page, row }: { page: Page; row: number }): JSX.Element {
  const id = useLoaded(() => idOf(page, row), [page, row]).value ?? "";
  const label = useLoaded(() => labelOf(page, row), [page, row]).value ?? "";
  return (
    <button type="button" class="relative" onClick={() => (sample.value = row)}>
      <Thumbnail page={page} row={row} side={72} label="" />
      <span class="caption"><span>{id}</span><span class="quiet">{label}</span></span>
    </button>
  );
}

/** One of the two, with the place that both show marked. */
function Marked({ page, row, box }: { page: Page; row: number; box: Box | null }): JSX.Element {
  return (
    <span class="overlap">
      <Thumbnail page={page} row={row} side={144} label={box ? "the place that both show is marked" : "one of the two"} />
      {box && (
        <svg viewBox="0 0 1 1" aria-hidden="true">
          <rect {...box} vector-effect="non-scaling-stroke" />
        </svg>
      )}
    </span>
  );
}

/** The pair as the sample that is shown sees it: itself first. */
function PairOf({ page, pair, row }: { page: Page; pair: Pair; row: number }): JSX.Element {
  const isA = pair.a === row;
  const other = isA ? pair.b : pair.a;
  const placed = pair.overlap && place(pair.overlap, 144);
  const id = useLoaded(() => idOf(page, other), [page, other]).value ?? "";
  const label = useLoaded(() => labelOf(page, other), [page, other]).value ?? "";
  return (
    <li class="pair">
      <p><strong>{pair.finding}</strong> {pair.detail}</p>
      <Marked page={page} row={row} box={placed && (isA ? placed.onA : placed.onB)} />
      <button type="button" class="relative wide" onClick={() => (sample.value = other)}>
        <Marked page={page} row={other} box={placed && (isA ? placed.onB : placed.onA)} />
        <span class="caption"><span>{id}</span><span class="quiet">{label}</span></span>
      </button>
    </li>
  );
}

export function NearCopies({ page, row }: { page: Page; row: number }): JSX.Element | null {
  const pairs = page.audit?.pairs.filter(({ a, b }) => a === row || b === row) ?? [];
  if (pairs.length === 0) return null;
  return (
    <section>
      <h3>Found by the audit</h3>
      <ul class="relatives">
        {pairs.map((pair, number) => <PairOf key={number} page={page} pair={pair} row={row} />)}
      </ul>
    </section>
  );
}

async function groupOf(page: Page, row: number): Promise<{ name: string; rows: number[] } | null> {
  const column = columnOf(page, "group");
  if (!column) return null;
  const [codes, names] = await Promise.all([codesOf(column), categoriesOf(column)]);
  const code = codes[row];
  if (code === noValue(column)) return null;
  const rows: number[] = [];
  codes.forEach((other, place) => other === code && rows.push(place));
  return { name: names[code], rows };
}

function openGallery(title: string, rows: number[]): void {
  choose(title, rows);
  sample.value = null;
}

export function SameGroup({ page, row }: { page: Page; row: number }): JSX.Element | null {
  const group = useLoaded(() => groupOf(page, row), [page, row]).value;
  if (!group) return null;
  const others = group.rows.length - 1;
  return (
    <section>
      <h3>Group {group.name}</h3>
      {others === 0 ? <p>No other sample is in this group.</p> : (
        <button type="button" onClick={() => openGallery(`Group ${group.name}`, group.rows)}>
          Show all {group.rows.length.toLocaleString("en")} samples of this group
        </button>
      )}
    </section>
  );
}

/** The nearest samples, nearest first: by their embeddings where the page has these, otherwise on the map. */
async function nearest(page: Page, row: number): Promise<number[]> {
  if (!page.neighbours) return nearestOnMap(page, row);
  const { k, shard } = page.neighbours;
  const bytes = await loadBytes(`${shard}-${Math.floor(row / page.textBlock)}`);
  const rows = new Uint32Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength / 4);
  const start = (row % page.textBlock) * k;
  return Array.from(rows.subarray(start, start + k)).filter((other) => other < page.nSamples);
}

async function nearestOnMap(page: Page, row: number): Promise<number[]> {
  const [x, y] = [columnOf(page, "x"), columnOf(page, "y")];
  if (!x || !y || !page.map) return [];
  const [left, top] = await Promise.all([numbersOf(x), numbersOf(y)]);
  const best: { row: number; distance: number }[] = [];
  for (let other = 0; other < left.length; other++) {
    const distance = (left[other] - left[row]) ** 2 + (top[other] - top[row]) ** 2;
    const isNear = distance < (best[NEIGHBOURS - 1]?.distance ?? Infinity);
    if (other === row || !isNear) continue;
    best.push({ row: other, distance });
    best.sort((a, b) => a.distance - b.distance);
    best.length = Math.min(best.length, NEIGHBOURS);
  }
  return best.map((one) => one.row);
}

/** "Labels: 8 MCF7, 3 CACO-2", the most frequent first. */
async function labelsOf(page: Page, rows: number[]): Promise<string> {
  if (!columnOf(page, "label")) return "";
  const counts = new Map<string, number>();
  for (const label of await Promise.all(rows.map((row) => labelOf(page, row)))) counts.set(label, (counts.get(label) ?? 0) + 1);
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  return `Labels: ${sorted.map(([label, n]) => `${n} ${label || "without a label"}`).join(", ")}.`;
}

export function Neighbours({ page, row }: { page: Page; row: number }): JSX.Element | null {
  const rows = useLoaded(() => nearest(page, row), [page, row]).value;
  const labels = useLoaded(async () => (rows ? labelsOf(page, rows) : ""), [page, rows]).value;
  if (!rows || rows.length === 0) return null;
  const title = page.neighbours ? "Most similar embeddings" : "Nearest on the map";
  return (
    <section>
      <h3>{title}</h3>
      {page.neighbours?.note && <p class="quiet">{page.neighbours.note}</p>}
      {labels && <p>{labels}</p>}
      <div class="relatives">
        {rows.map((other) => <Relative key={other} page={page} row={other} />)}
      </div>
      <button type="button" onClick={() => openGallery(title, [row, ...rows])}>Show these in the gallery</button>
    </section>
  );
}
