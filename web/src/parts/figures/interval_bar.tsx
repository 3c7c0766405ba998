// A score as a dot on the bar of its interval.

import type { JSX } from "preact";
import type { Interval } from "../../data";
import { linearScale, type Scale } from "./scale";

interface IntervalBarProps {
  value: Interval;
  scale: Scale;
  y: number;
}

/** Part of a figure with an axis. */
export function IntervalBar({ value, scale, y }: IntervalBarProps): JSX.Element {
  const [low, high] = [scale.place(value.low), scale.place(value.high)];
  return (
    <g class="interval">
      <line x1={low} x2={high} y1={y} y2={y} />
      <line x1={low} x2={low} y1={y - 5} y2={y + 5} />
      <line x1={high} x2={high} y1={y - 5} y2={y + 5} />
      <circle cx={scale.place(value.score)} cy={y} r={5} />
    </g>
  );
}

const SHARES = linearScale([0, 1], [6, 114]);

/** In a cell of a table, from 0 to 1; the numbers stand beside it. */
export function SmallInterval({ value }: { value: Interval }): JSX.Element {
  return (
    <svg class="small-interval" viewBox="0 0 120 16" width={120} height={16} aria-hidden="true">
      <line class="track" x1={6} x2={114} y1={8} y2={8} />
      <IntervalBar value={value} scale={SHARES} y={8} />
    </svg>
  );
}
