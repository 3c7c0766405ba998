// Colours of points: categories in colours that remain apart for colour-blind readers, numbers from dark to light.

import type { Values } from "./fields";

const LIGHT = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#882255", "#56b4e9", "#8a8a20", "#332288", "#e69f00", "#661100"];
const DARK = ["#3da5e8", "#f07b2e", "#1fc295", "#e69acb", "#c0527f", "#9bd3f5", "#c4c45a", "#9a8cff", "#f2be3e", "#b0724a"];
export const N_COLOURS = LIGHT.length;

/** viridis at equal steps. */
const VIRIDIS = ["#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725"];
const STEPS = 40;

/** Numbers of the first colours of a colouring. */
export const UNSELECTED = 0;
const NO_VALUE = 1;
const FIRST = 2;

export interface Colouring {
  colours: string[];
  /** The number of a sample's colour. */
  numberOf: (row: number) => number;
}

export interface Theme {
  isDark: boolean;
  back: string;
  unselected: string;
  noValue: string;
}

export function themeOf(isDark: boolean): Theme {
  return isDark
    ? { isDark, back: "#14171a", unselected: "#5a646e", noValue: "#d9d9d9" }
    : { isDark, back: "#ffffff", unselected: "#b9c1c9", noValue: "#333333" };
}

export function categoryColour(place: number, isDark: boolean): string {
  return (isDark ? DARK : LIGHT)[place % N_COLOURS];
}

/** Classes have the same colour in every column; other categories one by their place. */
export function placesInPalette(categories: string[], classes: string[]): number[] {
  const places = new Map(classes.map((name, place) => [name, place]));
  const areClasses = categories.every((name) => places.has(name));
  return categories.map((name, code) => (areClasses ? places.get(name)! : code));
}

/** The colour of a part of a scale of numbers, 0 to 1; the end that is close to the background is left out. */
export function scaleColour(part: number, isDark: boolean): string {
  const shown = isDark ? 0.25 + 0.75 * part : 0.9 * part;
  const place = Math.min(Math.max(shown, 0), 1) * (VIRIDIS.length - 1);
  const [before, after] = [Math.floor(place), Math.ceil(place)];
  return mixed(VIRIDIS[before], VIRIDIS[after], place - before);
}

function mixed(a: string, b: string, part: number): string {
  const channel = (start: number): string => {
    const [from, to] = [a, b].map((colour) => parseInt(colour.slice(start, start + 2), 16));
    return Math.round(from + (to - from) * part).toString(16).padStart(2, "0");
  };
  return `#${channel(1)}${channel(3)}${channel(5)}`;
}

export function colouringOf(values: Values | null, classes: string[], theme: Theme): Colouring {
  const first = [theme.unselected, theme.noValue];
  if (values?.kind === "category") {
    const places = placesInPalette(values.categories, classes).map((place) => FIRST + (place % N_COLOURS));
    const colours = Array.from({ length: N_COLOURS }, (_, place) => categoryColour(place, theme.isDark));
    return { colours: [...first, ...colours], numberOf: (row) => places[values.codes[row]] ?? NO_VALUE };
  }
  if (values?.kind === "number") {
    const { numbers, low, high } = values;
    const scale = (STEPS - 1) / (high - low || 1);
    const colours = Array.from({ length: STEPS }, (_, step) => scaleColour(step / (STEPS - 1), theme.isDark));
    return {
      colours: [...first, ...colours],
      numberOf: (row) => (Number.isNaN(numbers[row]) ? NO_VALUE : FIRST + Math.round((numbers[row] - low) * scale)),
    };
  }
  return { colours: first, numberOf: () => NO_VALUE };
}


