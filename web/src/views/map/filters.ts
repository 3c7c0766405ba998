// Which samples are left by the filters; they combine.

import { signal } from "@preact/signals";
import type { Values } from "./fields";

export interface Filter {
  /** Of the field. */
  key: string;
  /** Codes of the categories that are left; none: all are. */
  codes: number[];
  low: number | null;
  high: number | null;
  /** Part of a text. */
  text: string;
}

/** They stay while another view is shown. */
export const filters = signal<Filter[]>([]);
export const colouredBy = signal("");

export function addFilter(key: string): void {
  if (filters.value.some((filter) => filter.key === key)) return;
  filters.value = [...filters.value, { key, codes: [], low: null, high: null, text: "" }];
}

export function removeFilter(key: string): void {
  filters.value = filters.value.filter((filter) => filter.key !== key);
}

export function changeFilter(key: string, changes: Partial<Filter>): void {
  filters.value = filters.value.map((filter) => (filter.key === key ? { ...filter, ...changes } : filter));
}

/** Leave a category, or no longer. */
export function toggleCategory(key: string, code: number): void {
  addFilter(key);
  const { codes } = filters.value.find((filter) => filter.key === key)!;
  changeFilter(key, { codes: codes.includes(code) ? codes.filter((other) => other !== code) : [...codes, code] });
}

export function isActive({ codes, low, high, text }: Filter): boolean {
  return codes.length > 0 || low !== null || high !== null || text !== "";
}

/** 1 for each sample that is left; null where no filter is active. */
export function maskOf(nSamples: number, active: { filter: Filter; values: Values }[]): Uint8Array | null {
  if (active.length === 0) return null;
  const mask = new Uint8Array(nSamples).fill(1);
  for (const { filter, values } of active) {
    const isLeft = test(filter, values);
    for (let row = 0; row < nSamples; row++) if (mask[row] && !isLeft(row)) mask[row] = 0;
  }
  return mask;
}

function test(filter: Filter, values: Values): (row: number) => boolean {
  if (values.kind === "category") {
    const chosen = new Set(filter.codes);
    return (row) => chosen.has(values.codes[row]);
  }
  if (values.kind === "number") {
    const [low, high] = [filter.low ?? -Infinity, filter.high ?? Infinity];
    return (row) => values.numbers[row] >= low && values.numbers[row] <= high;
  }
  const part = filter.text.toLowerCase();
  return (row) => values.texts[row].toLowerCase().includes(part);
}

/** Rows of the samples that are left. */
export function rowsOf(nSamples: number, mask: Uint8Array | null): Uint32Array {
  const rows = Uint32Array.from({ length: nSamples }, (_, row) => row);
  return mask ? rows.filter((row) => mask[row] === 1) : rows;
}
