// The order in which the chosen samples are shown: the gallery and the sample shown large go through them in it.

import { computed, signal } from "@preact/signals";
import type { Page } from "../data";
import { probabilitiesOf } from "../columns";
import { head, isBlind, selection } from "../state";
import { factsOf, idsOf } from "./facts";

export type Order = "given" | "surest" | "least sure" | "doubtful" | "id";

/** Samples up to which they can be sorted by what is loaded in blocks: identifiers and probabilities. */
export const MOST_BY_BLOCKS = 50_000;

const sorted = signal<{ of: Uint32Array; rows: Uint32Array } | null>(null);
export const order = signal<Order>("given");

/** The chosen samples as they are shown. */
export const ordered = computed<Uint32Array>(() => {
  const given = selection.value?.rows ?? new Uint32Array();
  // An order by confidence tells what is hidden.
  const isHidden = isBlind.value && order.value !== "id";
  return !isHidden && sorted.value?.of === given ? sorted.value.rows : given;
});

/** Sort the chosen samples; those without a confidence come last. */
export async function sortAs(page: Page, wanted: Order): Promise<void> {
  const given = selection.value?.rows;
  if (!given) return;
  order.value = wanted;
  const rows = wanted === "given" ? given : await sortedRows(page, given, wanted);
  if (selection.value?.rows === given && order.value === wanted) sorted.value = { of: given, rows };
}

async function sortedRows(page: Page, rows: Uint32Array, wanted: Exclude<Order, "given">): Promise<Uint32Array> {
  if (wanted === "id") return byId(page, rows);
  if (isBlind.value) return rows;
  return wanted === "doubtful" ? byDoubt(page, rows) : bySureness(page, rows, wanted);
}

/** The label to which the head gives the lowest probability first; samples without one come last. */
async function byDoubt(page: Page, rows: Uint32Array): Promise<Uint32Array> {
  const shown = page.heads.find(({ name }) => name === head.value);
  const { label } = await factsOf(page, head.value);
  const keys = new Map<number, number>();
  for (const row of rows) {
    const place = page.classes.indexOf(label(row));
    const values = shown && place >= 0 ? await probabilitiesOf(page, shown, row) : null;
    keys.set(row, values ? values[place] : Infinity);
  }
  return Uint32Array.from(rows).sort((a, b) => compare(keys.get(a)!, keys.get(b)!) || a - b);
}

async function byId(page: Page, rows: Uint32Array): Promise<Uint32Array> {
  const ids = await idsOf(page, rows);
  const collator = new Intl.Collator("en", { numeric: true });
  return Uint32Array.from([...rows.keys()].sort((a, b) => collator.compare(ids[a], ids[b])), (place) => rows[place]);
}

async function bySureness(page: Page, rows: Uint32Array, wanted: Order): Promise<Uint32Array> {
  const { confidence } = await factsOf(page, head.value);
  const sign = wanted === "surest" ? -1 : 1;
  const key = (row: number): number => (Number.isNaN(confidence(row)) ? Infinity : sign * confidence(row));
  return Uint32Array.from(rows).sort((a, b) => compare(key(a), key(b)) || a - b);
}

/** Infinity minus Infinity is not a number, so that keys are not subtracted. */
function compare(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
