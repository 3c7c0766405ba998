// From values to places on a figure.

export interface Scale {
  place: (value: number) => number;
  ticks: number[];
}

const STEPS = [1, 2, 5, 10];

/** Round numbers from `low` to `high`, about `wanted` of them. */
export function ticksBetween(low: number, high: number, wanted = 5): number[] {
  const rough = (high - low) / wanted;
  if (!(rough > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * (STEPS.find((candidate) => candidate * power >= rough) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, place) => Number(((first + place) * step).toPrecision(12)));
}

/** A range of shares that holds all values with some air, within 0 and 1. */
export function fittedRange(values: number[]): [number, number] {
  const known = values.filter(Number.isFinite);
  if (known.length === 0) return [0, 1];
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const air = Math.max((high - low) * 0.1, 0.01);
  return [Math.max(low - air, 0), Math.min(high + air, 1)];
}

export function linearScale([low, high]: [number, number], [start, end]: [number, number], wanted = 5): Scale {
  const length = high - low || 1;
  return {
    place: (value) => start + ((value - low) / length) * (end - start),
    ticks: ticksBetween(low, high, wanted),
  };
}

/** A scale on which equal ratios are equally long; its ticks are the values themselves. */
export function ratioScale(values: number[], range: [number, number]): Scale {
  const [low, high] = [Math.log(Math.min(...values)), Math.log(Math.max(...values))];
  const air = (high - low) * 0.04 || 1;
  const { place } = linearScale([low - air, high + air], range);
  return { place: (value) => place(Math.log(value)), ticks: [...new Set(values)].sort((a, b) => a - b) };
}

/** Ticks that leave `gap` between their places. */
export function apart({ place, ticks }: Scale, gap: number): number[] {
  let last = -Infinity;
  return ticks.filter((tick) => {
    if (Math.abs(place(tick) - last) < gap) return false;
    last = place(tick);
    return true;
  });
}
