// Samples that belong to one: near copies, its group, its neighbours on the map.

import type { JSX } from "preact";
import { categoriesOf, codesOf, columnOf, noValue, numbersOf } from "../../columns";
import type { Page, Pair } from "../../data";
import { choose, sample } from "../../state";
import { idOf } from "../facts";
import { useLoaded } from "../loaded";
import { Thumbnail } from "../thumbnail";

const NEIGHBOURS = 12;

function Relative({ page, row, text }: { page: Page; row: number; text: string }): JSX.Element {
  const id = useLoaded(() => idOf(page, row), [page, row]).value ?? "";
  return (
    <button type="button" class="relative" onClick={() => (sample.value = row)}>
      <Thumbnail page={page} row={row} side={72} label="" />
      <span class="caption">{id}{text && <span class="quiet">{text}</span>}</span>
    </button>
  );
}

/** Where b lies on a, drawn over the picture of a. */
function Overlap({ page, pair }: { page: Page; pair: Pair }): JSX.Element {
  const { overlap } = pair;
  return (
    <span class="overlap">
      <Thumbnail page={page} row={pair.a} side={144} label="the first of the two" />
      {overlap && (
        <svg viewBox={`0 0 ${overlap.width} ${overlap.height}`} preserveAspectRatio="none" role="img" aria-label="where the second lies on the first">
          <rect x={overlap.dx} y={overlap.dy} width={overlap.width} height={overlap.height} vector-effect="non-scaling-stroke" />
        </svg>
      )}
    </span>
  );
}

function turnedBy({ overlap }: Pair): string {
  if (!overlap) return "";
  const turns = [overlap.mirrored ? "mirrored" : "", overlap.quarters ? `turned by ${overlap.quarters * 90}°` : ""].filter(Boolean);
  return turns.length ? `, the second ${turns.join(" and ")}` : "";
}

export function NearCopies({ page, row }: { page: Page; row: number }): JSX.Element | null {
  const pairs = page.audit?.pairs.filter(({ a, b }) => a === row || b === row) ?? [];
  if (pairs.length === 0) return null;
  return (
    <section>
      <h3>Found by the audit</h3>
      <ul class="relatives">
        {pairs.map((pair, place) => (
          <li key={place} class="pair">
            <p><strong>{pair.finding}</strong> {pair.detail}{turnedBy(pair)}</p>
            <Overlap page={page} pair={pair} />
            <Relative page={page} row={pair.a === row ? pair.b : pair.a} text="the other sample" />
          </li>
        ))}
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

/** The nearest samples on the map, nearest first. */
async function nearest(page: Page, row: number): Promise<number[]> {
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

export function Neighbours({ page, row }: { page: Page; row: number }): JSX.Element | null {
  const rows = useLoaded(() => nearest(page, row), [page, row]).value;
  if (!rows || rows.length === 0) return null;
  return (
    <section>
      <h3>Nearest on the map</h3>
      <div class="relatives">
        {rows.map((other) => <Relative key={other} page={page} row={other} text="" />)}
      </div>
      <button type="button" onClick={() => openGallery("Nearest on the map", [row, ...rows])}>Show these in the gallery</button>
    </section>
  );
}
