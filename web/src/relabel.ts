// Judgements of a person: labels of samples, and whether pairs are copies. The browser keeps them for this page.

import { computed, effect, signal, untracked } from "@preact/signals";
import type { Page } from "./data";
import { isBlind, sample } from "./state";

export interface Judgement {
  row: number;
  id: string;
  before: string;
  /** The label now; "": the person cannot tell. */
  label: string;
  /** The head whose prediction is compared; "": none. */
  head: string;
  predicted: string;
  confidence: number | null;
  /** Whether the person could see a prediction when judging. */
  seen: "prediction" | "blind";
  at: string;
}

export interface PairVerdict {
  a: number;
  b: number;
  ids: [string, string];
  finding: string;
  verdict: "copies" | "not copies";
  at: string;
}

interface Kept {
  judgements: Judgement[];
  pairs: PairVerdict[];
  /** Samples whose prediction was seen: they cannot be judged blind any more. */
  seen: number[];
}

const NOTHING: Kept = { judgements: [], pairs: [], seen: [] };
const MOST_UNDO = 200;

const kept = signal<Kept>(NOTHING);
const earlier = signal<Kept[]>([]);

export const judgements = computed(() => kept.value.judgements);
export const pairVerdicts = computed(() => kept.value.pairs);
export const seenRows = computed(() => new Set(kept.value.seen));
export const canUndo = computed(() => earlier.value.length > 0);
/** Why judgements are lost when the page is closed; "": they are kept. */
export const lostBecause = signal("");

const byRow = computed(() => new Map(judgements.value.map((one) => [one.row, one])));
const byPair = computed(() => new Map(pairVerdicts.value.map((one) => [pairKey(one), one])));

export function judgementOf(row: number): Judgement | undefined {
  return byRow.value.get(row);
}

export function verdictOf(pair: { a: number; b: number }): PairVerdict | undefined {
  return byPair.value.get(pairKey(pair));
}

function pairKey({ a, b }: { a: number; b: number }): string {
  return `${a}-${b}`;
}

/** Keep judgements of samples; a later one of a sample replaces the earlier one, but not what was seen, and before. */
export function judge(...added: Judgement[]): void {
  const rows = new Map(judgements.value.map((one) => [one.row, one]));
  for (const one of added) {
    const first = rows.get(one.row);
    // A label that was once changed after a look at the prediction stays so.
    const seen = first?.seen === "prediction" ? "prediction" : one.seen;
    rows.delete(one.row);
    rows.set(one.row, { ...one, seen, before: first?.before ?? one.before });
  }
  change({ ...kept.value, judgements: [...rows.values()] });
}

export function withdraw(isWithdrawn: (one: Judgement) => boolean): void {
  change({ ...kept.value, judgements: judgements.value.filter((one) => !isWithdrawn(one)) });
}

export function judgePair(verdict: PairVerdict): void {
  const others = pairVerdicts.value.filter((one) => pairKey(one) !== pairKey(verdict));
  change({ ...kept.value, pairs: [...others, verdict] });
}

/** Remember that a person saw the predictions of samples. */
export function noteSeen(rows: readonly number[]): void {
  const known = seenRows.value;
  const added = rows.filter((row) => !known.has(row));
  if (added.length) save({ ...kept.value, seen: [...kept.value.seen, ...added] });
}

/** Take the last judgement back. */
export function undo(): void {
  const before = earlier.value.at(-1);
  if (!before) return;
  earlier.value = earlier.value.slice(0, -1);
  save({ ...before, seen: kept.value.seen });
}

function change(next: Kept): void {
  earlier.value = [...earlier.value.slice(1 - MOST_UNDO), kept.value];
  save(next);
}

// The browser's store. A page on a disk, a private window or a full store may refuse it.

let place = "";

function save(next: Kept): void {
  kept.value = next;
  if (!place) return;
  try {
    localStorage.setItem(place, JSON.stringify(next));
    lostBecause.value = "";
  } catch (error) {
    lostBecause.value = `this browser does not keep them (${error instanceof Error ? error.name : error})`;
  }
}

function parsed(text: string | null): Kept {
  const found = text === null ? {} : (JSON.parse(text) as Partial<Kept>);
  const lists = { ...NOTHING, ...found };
  if (!Object.values(lists).every(Array.isArray)) throw new Error("not judgements");
  return { judgements: lists.judgements, pairs: lists.pairs, seen: lists.seen };
}

/** A page that is loaded again while labels are judged blind must not show what was hidden. */
function keepBlind(page: Page): void {
  const name = `cellfeat-blind:${page.digest}`;
  try {
    isBlind.value = page.heads.length > 0 && sessionStorage.getItem(name) !== null;
    effect(() => (isBlind.value ? sessionStorage.setItem(name, "1") : sessionStorage.removeItem(name)));
  } catch {
    // Then predictions are hidden until the page is loaded again.
  }
}

/** Take up what was judged on this page before. */
export function restore(page: Page): void {
  keepBlind(page);
  // A sample that is shown large stands beside its prediction.
  effect(() => {
    const row = sample.value;
    if (row !== null && !isBlind.value && page.heads.length > 0) untracked(() => noteSeen([row]));
  });
  if (!page.digest) {
    lostBecause.value = "this page has no digest of its samples";
    return;
  }
  try {
    kept.value = parsed(localStorage.getItem(`cellfeat-judged:${page.digest}`));
    place = `cellfeat-judged:${page.digest}`;
  } catch (error) {
    lostBecause.value = `this browser does not keep them, or what it kept cannot be read (${error instanceof Error ? error.name : error})`;
  }
  // Another tab with the same page.
  addEventListener("storage", ({ key, newValue }) => {
    if (!place || key !== place) return;
    kept.value = parsed(newValue);
    earlier.value = [];
  });
  addEventListener("beforeunload", (event) => {
    if (lostBecause.value && judgements.value.length + pairVerdicts.value.length > 0) event.preventDefault();
  });
}
