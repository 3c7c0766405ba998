// What the view of copies shows now: it stays when another view is opened and closed.

import { signal } from "@preact/signals";
import type { Page, Pair } from "../../data";
import { place } from "./overlap";

export type Part = "pairs" | "suspects" | "quarantined" | "findings";
export type Laying = "beside" | "over" | "flicker";

export const part = signal<Part | null>(null);
/** The kind of pairs that are shown; null: all. */
export const kind = signal<string | null>(null);
/** Orders of pairs, with their names. */
export const PAIR_ORDERS = {
  found: "as found",
  largest: "largest shared area first",
  smallest: "smallest shared area first",
  turned: "turned or mirrored first",
  labels: "different labels first",
} as const;
export type PairOrder = keyof typeof PAIR_ORDERS;
export const pairOrder = signal<PairOrder>("found");
/** Place of the current pair among those that are shown. */
export const current = signal(0);
export const laying = signal<Laying>("beside");

/** Kinds as they need a look: contradictions first, what was not joined last. */
const ORDER = ["label conflict", "crossing copy", "copy", "near copy", "overlapping crop", "look-alike"];

function rank(finding: string): number {
  const found = ORDER.indexOf(finding);
  return found < 0 ? ORDER.length : found;
}

/** How many there are of each kind, in the order in which they are shown. */
export function kindsOf(found: { finding: string }[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const { finding } of found) counts.set(finding, (counts.get(finding) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => rank(a) - rank(b) || a.localeCompare(b));
}

export function shownPairs(pairs: Pair[], only: string | null): Pair[] {
  if (only !== null) return pairs.filter(({ finding }) => finding === only);
  const places = new Map(kindsOf(pairs).map(([name], rank) => [name, rank]));
  return [...pairs].sort((a, b) => places.get(a.finding)! - places.get(b.finding)!);
}

/** The share of the first sample that the second one shows as well; NaN where it is not known. */
function sharedArea({ overlap }: Pair): number {
  if (!overlap) return NaN;
  const { onA } = place(overlap, 1);
  return onA.width * onA.height;
}

type LabelOf = (row: number) => string;

function keyOf(pair: Pair, order: PairOrder, label: LabelOf): number {
  if (order === "labels") return label(pair.a) === label(pair.b) ? 1 : 0;
  const area = sharedArea(pair);
  if (Number.isNaN(area)) return Infinity;
  if (order === "turned") return pair.overlap!.quarters || pair.overlap!.mirrored ? 0 : 1;
  return order === "largest" ? -area : area;
}

/** Sort pairs; those whose place is not known come last, and equal ones stay as they are. */
export function orderedPairs(pairs: Pair[], order: PairOrder, label: LabelOf): Pair[] {
  if (order === "found") return pairs;
  const keys = new Map(pairs.map((pair) => [pair, keyOf(pair, order, label)]));
  return [...pairs].sort((a, b) => (keys.get(a) === keys.get(b) ? 0 : keys.get(a)! < keys.get(b)! ? -1 : 1));
}

/** The parts that have something to show, with their titles and how much it is. */
export function partsOf(audit: NonNullable<Page["audit"]>): { name: Part; title: string; n: number }[] {
  return [
    { name: "pairs" as const, title: "Pairs", n: audit.pairs.length },
    { name: "suspects" as const, title: "Suspicious labels", n: audit.suspects.length },
    { name: "quarantined" as const, title: "Unreadable files", n: audit.quarantined.length },
    { name: "findings" as const, title: "Other findings", n: audit.findings.length },
  ].filter(({ n }) => n > 0);
}
