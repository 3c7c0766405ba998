// What points can be coloured and filtered by: columns, and whether each head is right.

import { categoriesOf, codesOf, noValue, numbersOf, type Codes } from "../../columns";
import type { Column, Head, Page } from "../../data";
import { loadJson } from "../../loader";
import { factsOf } from "../../parts/facts";
import { isPrediction } from "../../parts/large/values";

export type Values =
  | { kind: "category"; codes: Codes; categories: string[]; none: number }
  | { kind: "number"; numbers: Float32Array; low: number; high: number }
  | { kind: "text"; texts: string[] };

export interface Field {
  key: string;
  title: string;
  kind: Values["kind"];
  load: () => Promise<Values>;
}

/** The fields of a page; without predictions where they are hidden. */
export function fieldsOf(page: Page, hidesPredictions: boolean): Field[] {
  const columns = page.columns.filter((column) => column.role !== "x" && column.role !== "y");
  const shown = hidesPredictions ? columns.filter((column) => !isPrediction(column)) : columns;
  const correct = hidesPredictions || !page.columns.some(({ role }) => role === "label") ? [] : page.heads;
  return [...shown.map((column) => fieldOf(page, column)), ...correct.map((head) => correctField(page, head))];
}

function fieldOf(page: Page, column: Column): Field {
  const load = { category: () => categories(column), number: () => numbers(column), text: () => texts(page, column) };
  return { key: `column ${column.name}`, title: column.title, kind: column.kind, load: load[column.kind] };
}

async function categories(column: Column): Promise<Values> {
  const [codes, names] = await Promise.all([codesOf(column), categoriesOf(column)]);
  return { kind: "category", codes, categories: names, none: noValue(column) };
}

async function numbers(column: Column): Promise<Values> {
  const values = await numbersOf(column);
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return { kind: "number", numbers: values, low, high };
}

async function texts(page: Page, column: Column): Promise<Values> {
  const nBlocks = Math.ceil(page.nSamples / page.textBlock);
  const blocks = await Promise.all(Array.from({ length: nBlocks }, (_, block) => loadJson<string[]>(`${column.shard}-${block}`)));
  return { kind: "text", texts: blocks.flat() };
}

function correctField(page: Page, head: Head): Field {
  return { key: `correct ${head.name}`, title: `correct or wrong: ${head.name}`, kind: "category", load: () => correctness(page, head) };
}

async function correctness(page: Page, head: Head): Promise<Values> {
  const { label, predicted, isWrong } = await factsOf(page, head.name);
  const codes = new Uint8Array(page.nSamples);
  for (let row = 0; row < codes.length; row++) codes[row] = !label(row) || !predicted(row) ? 0xff : Number(isWrong(row));
  return { kind: "category", codes, categories: ["correct", "wrong"], none: 0xff };
}

/** How many samples each category has; the last count: samples without one. */
export function countsOf({ codes, categories, none }: Extract<Values, { kind: "category" }>): Uint32Array {
  const counts = new Uint32Array(categories.length + 1);
  for (const code of codes) counts[code === none ? categories.length : code]++;
  return counts;
}
