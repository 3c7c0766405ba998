// Axes of figures: lines, ticks and their texts.

import type { JSX } from "preact";
import { apart, type Scale } from "./scale";

interface AxisProps {
  scale: Scale;
  /** Where the axis lies, across its own direction. */
  at: number;
  /** Where the lines of its ticks end. */
  to: number;
  title: string;
  format?: (value: number) => string;
}

const plain = (value: number): string => String(value);

export function BottomAxis({ scale, at, to, title, format = plain, middle }: AxisProps & { middle: number }): JSX.Element {
  return (
    <g class="axis">
      {apart(scale, 42).map((tick) => (
        <g key={tick}>
          <line x1={scale.place(tick)} x2={scale.place(tick)} y1={at} y2={to} />
          <text x={scale.place(tick)} y={at + 16} text-anchor="middle">{format(tick)}</text>
        </g>
      ))}
      <text x={middle} y={at + 34} text-anchor="middle">{title}</text>
    </g>
  );
}

export function LeftAxis({ scale, at, to, title, format = plain }: AxisProps): JSX.Element {
  return (
    <g class="axis">
      {scale.ticks.map((tick) => (
        <g key={tick}>
          <line x1={at} x2={to} y1={scale.place(tick)} y2={scale.place(tick)} />
          <text x={at - 6} y={scale.place(tick) + 4} text-anchor="end">{format(tick)}</text>
        </g>
      ))}
      <text x={4} y={14}>{title}</text>
    </g>
  );
}
