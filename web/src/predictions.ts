// True and predicted classes of all samples, and which samples a choice names.

import { categoriesOf, codesOf, columnOf, noValue, numbersOf } from "./columns";
import type { Column, Head, Page } from "./data";
import { NONE, OUTCOMES, type Choice, type ClassPlace, type Outcome } from "./state";

/** Places in `names` by sample; NONE where a sample has no class. */
export interface Predictions {
  names: string[];
  truth: Int32Array;
  predicted: Int32Array;
  /** NaN where there is none; null: the head has none. */
  confidence: Float32Array | null;
}

/** Samples in the order of a gallery, with its title. */
export interface ChosenSamples {
  title: string;
  rows: Uint32Array;
}

async function placesOf(column: Column, names: string[]): Promise<Int32Array> {
  const [codes, categories] = await Promise.all([codesOf(column), categoriesOf(column)]);
  const places = categories.map((category) => {
    const known = names.indexOf(category);
    return known >= 0 ? known : names.push(category) - 1;
  });
  const none = noValue(column);
  const found = new Int32Array(codes.length);
  // Plain loops: a function for each of a million samples takes several times as long.
  for (let row = 0; row < codes.length; row++) found[row] = codes[row] === none ? NONE : places[codes[row]];
  return found;
}

const loaded = new Map<string, Promise<Predictions | null>>();

/** null: the page has no labels or no predictions of this head by sample. */
export function predictionsOf(page: Page, head: string): Promise<Predictions | null> {
  const known = loaded.get(head);
  if (known) return known;
  const found = load(page, head);
  loaded.set(head, found);
  found.catch(() => loaded.delete(head));
  return found;
}

async function load(page: Page, head: string): Promise<Predictions | null> {
  const [label, answer] = [columnOf(page, "label"), columnOf(page, "predicted", head)];
  const certainty = columnOf(page, "confidence", head);
  if (!label || !answer) return null;
  const names = [...page.classes];
  const truth = await placesOf(label, names);
  const predicted = await placesOf(answer, names);
  return { names, truth, predicted, confidence: certainty ? await numbersOf(certainty) : null };
}

const UNKNOWN = 255;

/** The outcome of answers to a sample of class `truth`, all places in the same names. */
function outcomeOf(truth: number, first: number, second: number): Outcome {
  if (first === truth) return second === truth ? "both-right" : "a-right";
  if (second === truth) return "b-right";
  return first === second ? "same-mistake" : "other-mistakes";
}

/** What two heads made of each sample, as places in OUTCOMES; 255 where a label or an answer is missing. */
export function outcomesOf(a: Predictions, b: Predictions): Uint8Array {
  const numbers = Object.fromEntries(OUTCOMES.map((outcome, place) => [outcome, place]));
  // Names that only the other head predicts get places of their own.
  const places = b.names.map((name, place) => (a.names.includes(name) ? a.names.indexOf(name) : a.names.length + place));
  const outcomes = new Uint8Array(a.truth.length).fill(UNKNOWN);
  for (let row = 0; row < outcomes.length; row++) {
    const [truth, first, second] = [a.truth[row], a.predicted[row], b.predicted[row]];
    if (truth === NONE || first === NONE || second === NONE) continue;
    outcomes[row] = numbers[outcomeOf(truth, first, places[second])];
  }
  return outcomes;
}

const ROWS = 2 ** 32;
const STEPS = 2 ** 16;

/**
 * Mistakes first, the most confident first; then correct answers, the least confident first.
 *
 * One number holds rank and row, so that the engine sorts numbers without a function of ours: a million in 0.1 s.
 */
export function byInterest({ truth, predicted, confidence }: Predictions, rows: ArrayLike<number>): Uint32Array {
  const keys = Float64Array.from(rows, (row) => {
    const certainty = Math.min(Math.max(confidence?.[row] || 0, 0), 1);
    const rank = truth[row] === predicted[row] ? 1 + certainty : 1 - certainty;
    return Math.round(rank * STEPS) * ROWS + row;
  });
  return Uint32Array.from(keys.sort(), (key) => key % ROWS);
}

/** The rows for which `holds`, in their order. */
export function rowsWhere(n: number, holds: (row: number) => boolean): Uint32Array {
  const rows = new Uint32Array(n);
  let found = 0;
  for (let row = 0; row < n; row++) if (holds(row)) rows[found++] = row;
  return rows.slice(0, found);
}

/** The place in `names` of a place in `classes`. */
function placeIn(names: string[], classes: string[], place: ClassPlace): ClassPlace {
  if (place === null || place === NONE) return place;
  return names.indexOf(classes[place]);
}

function cellRows(page: Page, head: Head, predictions: Predictions, choice: Choice): Uint32Array {
  const truth = placeIn(predictions.names, page.classes, choice.truth);
  const predicted = placeIn(predictions.names, head.predictedClasses, choice.predicted);
  return rowsWhere(
    predictions.truth.length,
    (row) =>
      (choice.every !== "mistakes" || isMistake(predictions, row)) &&
      (truth === null || predictions.truth[row] === truth) && (predicted === null || predictions.predicted[row] === predicted),
  );
}

function isMistake({ truth, predicted }: Predictions, row: number): boolean {
  return truth[row] !== NONE && predicted[row] !== NONE && truth[row] !== predicted[row];
}

function cellTitle(page: Page, head: Head, { truth, predicted, every }: Choice): string {
  if (every) return every === "mistakes" ? `All mistakes of ${head.name}` : `All samples (${head.name})`;
  const label = truth === null ? "" : truth === NONE ? "no label" : page.classes[truth];
  const answer = predicted === null ? "" : predicted === NONE ? "no prediction" : `predicted ${head.predictedClasses[predicted]}`;
  return `${[label, answer].filter(Boolean).join(", ")} (${head.name})`;
}

export function outcomeWords(outcome: Outcome, a: string, b: string): string {
  return {
    "a-right": `${a} right, ${b} wrong`,
    "b-right": `${b} right, ${a} wrong`,
    "same-mistake": `${a} and ${b} wrong, same answer`,
    "other-mistakes": `${a} and ${b} wrong, different answers`,
    "both-right": `${a} and ${b} right`,
  }[outcome];
}

/** The samples of a choice; null: the page does not say which samples they are. */
export async function samplesOf(page: Page, head: Head, choice: Choice, other: string): Promise<ChosenSamples | null> {
  const predictions = await predictionsOf(page, head.name);
  if (!predictions) return null;
  if (choice.outcome === null) {
    const rows = cellRows(page, head, predictions, choice);
    return { title: cellTitle(page, head, choice), rows: byInterest(predictions, rows) };
  }
  const others = await predictionsOf(page, other);
  if (!others) return null;
  const outcomes = outcomesOf(predictions, others);
  const wanted = OUTCOMES.indexOf(choice.outcome);
  const rows = rowsWhere(
    outcomes.length,
    (row) => outcomes[row] === wanted && (choice.truth === null || predictions.truth[row] === choice.truth),
  );
  const label = choice.truth === null ? "" : `${page.classes[choice.truth]}: `;
  const title = `${label}${outcomeWords(choice.outcome, head.name, other)}`;
  // Where the head that is shown is right, the other's confidence in its mistake is of interest.
  return { title, rows: byInterest(choice.outcome === "a-right" ? others : predictions, rows) };
}
