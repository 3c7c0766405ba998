// Numbers as text.

import type { Interval } from "./data";

export function count(number: number): string {
  return number.toLocaleString("en-US");
}

export function counted(number: number, one: string, many = `${one}s`): string {
  return `${count(number)} ${number === 1 ? one : many}`;
}

export function score(number: number): string {
  return number.toFixed(3);
}

/** "0.812 [0.795, 0.829]" */
export function interval({ score: middle, low, high }: Interval): string {
  return `${score(middle)} [${score(low)}, ${score(high)}]`;
}

/** "12.3 %"; shares that are not zero never read as zero. */
export function percent(share: number): string {
  if (share === 0) return "0 %";
  if (share < 0.001) return "< 0.1 %";
  if (share > 0.999 && share < 1) return "> 99.9 %";
  return `${(share * 100).toFixed(share < 0.0995 || (share > 0.9905 && share < 1) ? 1 : 0)} %`;
}

export function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
