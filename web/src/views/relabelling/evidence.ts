// What a judgement is made from: the labels to choose from, and the prediction that speaks against one.

import { categoriesOf, columnOf } from "../../columns";
import type { Page } from "../../data";
import { idOf, type Facts } from "../../parts/facts";
import { seenRows, type Judgement } from "../../relabel";
import { head, isBlind } from "../../state";

export interface Evidence {
  head: string;
  predicted: string;
  confidence: number | null;
}

/** The labels that a sample can get: the classes, and labels that no head was fitted on. */
export async function labelChoices(page: Page): Promise<string[]> {
  const column = columnOf(page, "label");
  return [...new Set([...page.classes, ...(column ? await categoriesOf(column) : [])])].filter((name) => name !== "");
}

/** What the chosen head predicts; of a page without predictions, the head that called the label suspicious. */
export function evidenceOf(page: Page, facts: Facts, row: number): Evidence {
  const predicted = facts.predicted(row);
  if (predicted) {
    const confidence = facts.confidence(row);
    return { head: head.value, predicted, confidence: Number.isNaN(confidence) ? null : confidence };
  }
  const suspect = page.audit?.suspects.find((one) => one.row === row);
  if (suspect) return { head: suspect.head, predicted: suspect.predicted, confidence: suspect.confidence };
  return { head: "", predicted: "", confidence: null };
}

export async function judgementFor(page: Page, facts: Facts, row: number, label: string): Promise<Judgement> {
  const evidence = evidenceOf(page, facts, row);
  // Where nothing is predicted on the whole page, nothing can have been seen.
  const isShown = !isBlind.value && (page.heads.length > 0 || evidence.predicted !== "");
  return {
    row,
    id: await idOf(page, row),
    before: facts.label(row),
    label,
    ...evidence,
    // What was seen before judging blind is still known.
    seen: isShown || seenRows.value.has(row) ? "prediction" : "blind",
    at: new Date().toISOString(),
  };
}
