// What the view of copies shows now: it stays when another view is opened and closed.

import { signal } from "@preact/signals";
import type { Page, Pair } from "../../data";

export type Part = "pairs" | "suspects" | "quarantined" | "findings";
export type Laying = "beside" | "over" | "flicker";

export const part = signal<Part | null>(null);
/** The kind of pairs that are shown; null: all. */
export const kind = signal<string | null>(null);
/** Place of the current pair among those that are shown. */
export const current = signal(0);
export const laying = signal<Laying>("beside");

/** Kinds as they need a look: contradictions first, what was not joined last. */
const ORDER = ["label conflict", "crossing copy", "copy", "near copy", "overlapping crop", "look-alike"];

function rank(finding: string): number {
  const place = ORDER.indexOf(finding);
  return place < 0 ? ORDER.length : place;
}

/** How many there are of each kind, in the order in which they are shown. */
export function kindsOf(found: { finding: string }[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const { finding } of found) counts.set(finding, (counts.get(finding) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => rank(a) - rank(b) || a.localeCompare(b));
}

export function shownPairs(pairs: Pair[], only: string | null): Pair[] {
  if (only !== null) return pairs.filter(({ finding }) => finding === only);
  const places = new Map(kindsOf(pairs).map(([name], place) => [name, place]));
  return [...pairs].sort((a, b) => places.get(a.finding)! - places.get(b.finding)!);
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
