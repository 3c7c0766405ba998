// Scores by number of training samples, a line a head.

import type { ComponentChildren, JSX } from "preact";
import type { Overview } from "../../data";
import { count } from "../../words";
import { BottomAxis, LeftAxis } from "./axis";
import { Cut, Figure } from "./figure";
import { fittedRange, linearScale, ratioScale, type Scale } from "./scale";

type Curve = Overview["curves"][number];

/** Lines differ by mark, too: colour alone does not reach everyone. */
const MARKS = ["●", "■", "▲", "◆", "○", "□", "△", "◇"];
const LEFT = 44;
const TOP = 28;
const BOTTOM = 44;
const NAMES = 20;

function Line({ curve, place, x, y }: { curve: Curve; place: number; x: Scale; y: Scale }): JSX.Element {
  const points = curve.points.map(({ nTrain, score }) => `${x.place(nTrain)},${y.place(score)}`).join(" ");
  return (
    <g class={`series series-${place % 4}`}>
      <polyline points={points} stroke-dasharray={place >= 4 ? "5 4" : undefined} />
      {curve.points.map((point) => (
        <g key={point.nTrain}>
          <line x1={x.place(point.nTrain)} x2={x.place(point.nTrain)} y1={y.place(point.low)} y2={y.place(point.high)} />
          <text x={x.place(point.nTrain)} y={y.place(point.score) + 5} text-anchor="middle">{MARKS[place % MARKS.length]}</text>
        </g>
      ))}
    </g>
  );
}

export function CurveFigure({ curves }: { curves: Curve[] }): JSX.Element {
  const points = curves.flatMap((curve) => curve.points);
  const range = fittedRange(points.flatMap(({ low, high }) => [low, high]));
  const plotHeight = (width: number): number => Math.min(width * 0.5, 300);
  const heightOf = (width: number): number => TOP + plotHeight(width) + BOTTOM + curves.length * NAMES;
  const draw = (width: number): ComponentChildren => {
    const bottom = TOP + plotHeight(width);
    const x = ratioScale(points.map(({ nTrain }) => nTrain), [LEFT, width - 16]);
    const y = linearScale(range, [bottom, TOP]);
    return (
      <>
        <LeftAxis scale={y} at={LEFT} to={width - 8} title="Balanced accuracy" />
        <BottomAxis scale={x} at={bottom} to={bottom + 4} title="Training samples, logarithmic" format={count} middle={(LEFT + width) / 2} />
        {curves.map((curve, place) => <Line key={curve.head} {...{ curve, place, x, y }} />)}
        {curves.map(({ head }, place) => (
          <g key={head} class={`series series-${place % 4}`} transform={`translate(${LEFT} ${bottom + BOTTOM + place * NAMES})`}>
            <text x={0} y={14}>{MARKS[place % MARKS.length]}</text>
            <Cut class="name" text={head} width={width - LEFT - 30} x={20} y={14} />
          </g>
        ))}
      </>
    );
  };
  return <Figure widest={620} caption="Bars: 95 % intervals." height={heightOf} draw={draw} />;
}
