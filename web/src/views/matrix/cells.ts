// The numbers of a confusion matrix.

import type { ClassScore, Head, Page } from "../../data";

export type Amount = "counts" | "rows" | "columns";

export interface Matrix {
  /** Rows and columns. */
  classes: string[];
  predictedClasses: string[];
  counts: number[][];
  rowTotals: number[];
  columnTotals: number[];
  /** Scores of each row; undefined where the head has none of that class. */
  scores: (ClassScore | undefined)[];
}

export interface Cell {
  /** Places in rows and columns. */
  truth: number;
  predicted: number;
  n: number;
}

export function matrixOf(page: Page, head: Head): Matrix {
  const counts = page.classes.map((_, row) => head.predictedClasses.map((_, column) => head.confusion[row]?.[column] ?? 0));
  return {
    classes: page.classes,
    predictedClasses: head.predictedClasses,
    counts,
    rowTotals: counts.map((row) => row.reduce((sum, n) => sum + n, 0)),
    columnTotals: head.predictedClasses.map((_, column) => counts.reduce((sum, row) => sum + row[column], 0)),
    scores: page.classes.map((name) => head.perClass.find((one) => one.name === name)),
  };
}

export function isCorrect(matrix: Matrix, truth: number, predicted: number): boolean {
  return matrix.classes[truth] === matrix.predictedClasses[predicted];
}

export function shareOfRow(matrix: Matrix, { truth, n }: Cell): number {
  return n / (matrix.rowTotals[truth] || 1);
}

export function shareOf(matrix: Matrix, cell: Cell, amount: Amount): number {
  return amount === "columns" ? cell.n / (matrix.columnTotals[cell.predicted] || 1) : shareOfRow(matrix, cell);
}

export function mistakes(matrix: Matrix): number {
  let found = 0;
  matrix.counts.forEach((row, truth) => row.forEach((n, predicted) => (found += isCorrect(matrix, truth, predicted) ? 0 : n)));
  return found;
}

/** The cells with the most mistakes. */
export function largestConfusions(matrix: Matrix, most: number): Cell[] {
  const cells = matrix.counts.flatMap((row, truth) => row.map((n, predicted): Cell => ({ truth, predicted, n })));
  return cells
    .filter(({ truth, predicted, n }) => n > 0 && !isCorrect(matrix, truth, predicted))
    .sort((a, b) => b.n - a.n || shareOfRow(matrix, b) - shareOfRow(matrix, a))
    .slice(0, most);
}
