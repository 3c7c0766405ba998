// Scores with their intervals, one row each, on one axis.

import type { ComponentChildren, JSX } from "preact";
import type { Interval } from "../../data";
import { interval } from "../../words";
import { BottomAxis } from "./axis";
import { Cut, Figure } from "./figure";
import { IntervalBar } from "./interval_bar";
import { fittedRange, linearScale } from "./scale";

export interface IntervalRow extends Interval {
  name: string;
  /** Under the score, such as the verdict. */
  words: string;
}

interface Layout {
  row: number;
  /** Where the bars begin and end. */
  bars: [number, number];
  /** Heights of bar and texts within a row. */
  bar: number;
  name: { width: number; y: number };
  score: { x: number; y: number };
  words: { x: number; y: number; width: number };
}

const WIDE = 560;
const AXIS = 46;

/** Side by side where there is room; else the name and the score above the bar, and the words below. */
function layoutOf(width: number): Layout {
  if (width < WIDE) {
    return {
      row: 74, bars: [12, width - 12], bar: 36,
      name: { width: width - 170, y: 18 }, score: { x: width - 156, y: 18 }, words: { x: 4, y: 60, width },
    };
  }
  const texts = width - 280;
  return {
    row: 46, bars: [172, texts - 20], bar: 23,
    name: { width: 160, y: 28 }, score: { x: texts, y: 19 }, words: { x: texts, y: 36, width: 280 },
  };
}

function Row({ row, layout, scale, top }: { row: IntervalRow; layout: Layout; scale: ReturnType<typeof linearScale>; top: number }) {
  return (
    <g transform={`translate(0 ${top})`}>
      <Cut class="name" text={row.name} width={layout.name.width} x={4} y={layout.name.y} />
      <IntervalBar value={row} scale={scale} y={layout.bar} />
      <text x={layout.score.x} y={layout.score.y}>{interval(row)}</text>
      <Cut class="words" text={row.words} width={layout.words.width} x={layout.words.x} y={layout.words.y} />
    </g>
  );
}

export function IntervalFigure({ rows, axis, caption }: { rows: IntervalRow[]; axis: string; caption: ComponentChildren }): JSX.Element {
  const range = fittedRange(rows.flatMap(({ score, low, high }) => [score, low, high]));
  const heightOf = (width: number): number => rows.length * layoutOf(width).row + AXIS;
  const draw = (width: number): ComponentChildren => {
    const layout = layoutOf(width);
    const scale = linearScale(range, layout.bars);
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
