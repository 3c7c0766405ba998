// How often answers of a confidence are correct, with the number of samples behind each point.

import type { ComponentChildren, JSX } from "preact";
import type { ReliabilityBin } from "../../data";
import { count } from "../../words";
import { BottomAxis, LeftAxis } from "./axis";
import { Figure } from "./figure";
import { linearScale, type Scale } from "./scale";

const LEFT = 44;
const TOP = 28;
const COUNTS = 56;
const WIDEST = 380;
/** Samples below which a bin has no point, as in the figure of `cellfeat figure reliability`. */
export const LEAST_IN_BIN = 10;

/** Points of few samples are small: they say little. */
function Points({ bins, x, y }: { bins: ReliabilityBin[]; x: Scale; y: Scale }): JSX.Element {
  const most = Math.max(...bins.map(({ n }) => n), 1);
  const radius = (n: number): number => 1.8 + 4 * Math.sqrt(n / most);
  return (
    <g class="series series-0">
      <polyline points={bins.map((bin) => `${x.place(bin.confidence)},${y.place(bin.correct)}`).join(" ")} />
      {bins.map((bin) => <circle key={bin.confidence} cx={x.place(bin.confidence)} cy={y.place(bin.correct)} r={radius(bin.n)} />)}
    </g>
  );
}

function Counts({ bins, x, bottom }: { bins: ReliabilityBin[]; x: Scale; bottom: number }): JSX.Element {
  const most = Math.max(...bins.map(({ n }) => n), 1);
  const height = (n: number): number => (n / most) * (COUNTS - 18);
  return (
    <g class="counts">
      {bins.map(({ confidence, n }) => (
        <rect key={confidence} x={x.place(confidence) - 7} width={14} y={bottom - height(n)} height={height(n)} />
      ))}
      <text x={LEFT + 4} y={bottom - COUNTS + 14}>samples, up to {count(most)}</text>
    </g>
  );
}

export function ReliabilityFigure({ bins, caption }: { bins: ReliabilityBin[]; caption: string }): JSX.Element {
  const shown = bins.filter(({ n }) => n > 0);
  const heightOf = (width: number): number => TOP + (width - LEFT - 10) + COUNTS + 46;
  const draw = (width: number): ComponentChildren => {
    const right = width - 10;
    const plotBottom = TOP + right - LEFT;
    const [x, y] = [linearScale([0, 1], [LEFT, right]), linearScale([0, 1], [plotBottom, TOP])];
    return (
      <>
        <LeftAxis scale={y} at={LEFT} to={right} title="Share that is correct" />
        <line class="diagonal" x1={LEFT} y1={plotBottom} x2={right} y2={TOP} />
        <Points bins={shown.filter(({ n }) => n >= LEAST_IN_BIN)} x={x} y={y} />
        <Counts bins={shown} x={x} bottom={plotBottom + COUNTS} />
        <BottomAxis scale={x} at={plotBottom + COUNTS} to={plotBottom} title="Confidence" middle={(LEFT + right) / 2} />
      </>
    );
  };
  return <Figure widest={WIDEST} caption={caption} height={heightOf} draw={draw} />;
}
