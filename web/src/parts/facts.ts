// What is known of samples: identifier, true class, prediction and confidence of the chosen head.

import { categoriesOf, codesOf, columnOf, noValue, numbersOf, textOf } from "../columns";
import type { Column, Page } from "../data";
import { loadJson } from "../loader";

export interface Facts {
  /** True class; "" where there is none. */
  label: (row: number) => string;
  /** Predicted class; "" where there is none. */
  predicted: (row: number) => string;
  /** NaN where there is none. */
  confidence: (row: number) => number;
  isWrong: (row: number) => boolean;
}

async function namesOf(column: Column | undefined): Promise<(row: number) => string> {
  if (!column) return () => "";
  const [codes, categories] = await Promise.all([codesOf(column), categoriesOf(column)]);
  const none = noValue(column);
  return (row) => (codes[row] === none ? "" : categories[codes[row]]);
}

export async function factsOf(page: Page, head: string): Promise<Facts> {
  const confidences = columnOf(page, "confidence", head);
  const [label, predicted, numbers] = await Promise.all([
    namesOf(columnOf(page, "label")),
    namesOf(columnOf(page, "predicted", head)),
    confidences ? numbersOf(confidences) : null,
  ]);
  return {
    label,
    predicted,
    confidence: (row) => numbers?.[row] ?? NaN,
    isWrong: (row) => label(row) !== "" && predicted(row) !== "" && label(row) !== predicted(row),
  };
}

export async function idOf(page: Page, row: number): Promise<string> {
  const column = columnOf(page, "id");
  return column ? textOf(page, column, row) : `sample ${row}`;
}

/** Identifiers of many samples: each block of text is read once. */
export async function idsOf(page: Page, rows: ArrayLike<number>): Promise<string[]> {
  const column = columnOf(page, "id");
  if (!column || column.kind !== "text") return Promise.all(Array.from(rows, (row) => idOf(page, row)));
  const blocks = new Map<number, string[]>();
  for (const block of new Set(Array.from(rows, (row) => Math.floor(row / page.textBlock)))) {
    blocks.set(block, await loadJson<string[]>(`${column.shard}-${block}`));
  }
  return Array.from(rows, (row) => blocks.get(Math.floor(row / page.textBlock))![row % page.textBlock]);
}

/** What a screen reader says of a sample, and a caption shows. */
export function described(facts: Facts, row: number, hidesPrediction: boolean): string {
  const label = facts.label(row);
  const predicted = facts.predicted(row);
  if (hidesPrediction || !predicted) return label || "no label";
  const confidence = facts.confidence(row);
  const sure = Number.isNaN(confidence) ? "" : ` (${confidence.toFixed(2)})`;
  if (!label) return `no label, predicted ${predicted}${sure}`;
  return facts.isWrong(row) ? `${label}, predicted ${predicted}${sure}` : `${label}, predicted correctly${sure}`;
}
