// Values of samples, loaded by column.

import { loadBytes, loadJson } from "./loader";
import type { Column, Head, Page } from "./data";

export type Codes = Uint8Array | Uint16Array | Uint32Array;

const ARRAYS = { u8: Uint8Array, u16: Uint16Array, u32: Uint32Array, f32: Float32Array };
const NONE = { u8: 0xff, u16: 0xffff, u32: 0xffffffff };

/** The code that means: no value. */
export function noValue(column: Column): number {
  return NONE[column.type as keyof typeof NONE];
}

async function typed(shard: string, type: keyof typeof ARRAYS) {
  const bytes = await loadBytes(shard);
  return new ARRAYS[type](bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength / ARRAYS[type].BYTES_PER_ELEMENT);
}

export async function codesOf(column: Column): Promise<Codes> {
  return (await typed(column.shard, column.type as "u8" | "u16" | "u32")) as Codes;
}

export async function numbersOf(column: Column): Promise<Float32Array> {
  return (await typed(column.shard, "f32")) as Float32Array;
}

export async function categoriesOf(column: Column): Promise<string[]> {
  return column.categories ?? (column.categoriesShard ? loadJson<string[]>(column.categoriesShard) : []);
}

/** The column of a role, of a head where the role has one. */
export function columnOf(page: Page, role: Column["role"], head?: string): Column | undefined {
  return page.columns.find((column) => column.role === role && (head === undefined || column.head === head));
}

/** The value of one sample as text; "" where there is none. */
export async function textOf(page: Page, column: Column, row: number): Promise<string> {
  if (column.kind === "text") {
    const block = await loadJson<string[]>(`${column.shard}-${Math.floor(row / page.textBlock)}`);
    return block[row % page.textBlock];
  }
  if (column.kind === "category") {
    const code = (await codesOf(column))[row];
    return code === noValue(column) ? "" : (await categoriesOf(column))[code];
  }
  const number = (await numbersOf(column))[row];
  return Number.isNaN(number) ? "" : String(Number(number.toPrecision(6)));
}

/** Probabilities of the classes of `page.classes` for one sample; null where the head has none. */
export async function probabilitiesOf(page: Page, head: Head, row: number): Promise<number[] | null> {
  if (!head.probabilities) return null;
  const bytes = await loadBytes(`${head.probabilities}-${Math.floor(row / page.textBlock)}`);
  const values = new Uint16Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength / 2);
  const start = (row % page.textBlock) * page.classes.length;
  return Array.from(values.subarray(start, start + page.classes.length), (value) => value / 65535);
}
