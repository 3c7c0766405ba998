// Scores with their intervals, one row each, on one axis.

import type { ComponentChildren, JSX } from "preact";
import type { Interval } from "../../data";
import { interval } from "../../words";
import { BottomAxis } from "./axis";
import { Cut, Figure } from "./figure";
import { IntervalBar } from "./interval_bar";
import { fittedRange, linearScale, type Scale } from "./scale";

export interface IntervalRow extends Interval {
  name: string;
  /** Under the score, such as the verdict: a line each where there is room. */
  words: string[];
}

interface Layout {
  row: number;
  /** Where the bars begin and end. */
  bars: [number, number];
  /** Heights of bar and texts within a row. */
  bar: number;
  name: { width: number; y: number };
  score: { x: number; y: number };
  words: { x: number; y: number; width: number; isOneLine: boolean };
}

const WIDE = 560;
const AXIS = 46;
const LINE = 16;

/** Side by side where there is room; else the name and the score above the bar, and the words below. */
function layoutOf(width: number, mostLines: number): Layout {
  if (width < WIDE) {
    return {
      row: 74, bars: [20, width - 20], bar: 36,
      name: { width: width - 170, y: 18 }, score: { x: width - 156, y: 18 }, words: { x: 4, y: 60, width, isOneLine: true },
    };
  }
  const texts = width - 280;
  return {
    row: 30 + mostLines * LINE, bars: [172, texts - 20], bar: 15 + (mostLines * LINE) / 2,
    name: { width: 160, y: 20 + (mostLines * LINE) / 2 },
    score: { x: texts, y: 20 }, words: { x: texts, y: 20 + LINE, width: 280, isOneLine: false },
  };
}

interface RowProps {
  row: IntervalRow;
  layout: Layout;
  scale: Scale;
  top: number;
}

function Row({ row, layout, scale, top }: RowProps): JSX.Element {
  const { x, y, width, isOneLine } = layout.words;
  const lines = isOneLine ? [row.words.join(": ")] : row.words;
  return (
    <g transform={`translate(0 ${top})`}>
      <Cut class="name" text={row.name} width={layout.name.width} x={4} y={layout.name.y} />
      <IntervalBar value={row} scale={scale} y={layout.bar} />
      <text x={layout.score.x} y={layout.score.y}>{interval(row)}</text>
      {lines.map((line, place) => <Cut key={place} class="words" text={line} width={width} x={x} y={y + place * LINE} />)}
    </g>
  );
}

export function IntervalFigure({ rows, axis, caption }: { rows: IntervalRow[]; axis: string; caption: ComponentChildren }): JSX.Element {
  const range = fittedRange(rows.flatMap(({ score, low, high }) => [score, low, high]));
  const mostLines = Math.max(...rows.map(({ words }) => words.length), 1);
  const heightOf = (width: number): number => rows.length * layoutOf(width, mostLines).row + AXIS;
  const draw = (width: number): ComponentChildren => {
    const layout = layoutOf(width, mostLines);
    const scale = linearScale(range, layout.bars, 7);
    const bottom = rows.length * layout.row;
    return (
      <>
        <BottomAxis scale={scale} at={bottom} to={4} title={axis} middle={(layout.bars[0] + layout.bars[1]) / 2} />
        {rows.map((row, place) => <Row key={place} row={row} layout={layout} scale={scale} top={place * layout.row} />)}
      </>
    );
  };
  return <Figure caption={caption} height={heightOf} draw={draw} />;
}
