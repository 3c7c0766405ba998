// One sample large: channels, probabilities by head, neighbours, group, near copies, where it lies in its field.

import type { JSX } from "preact";
import type { Page } from "../data";

export function SamplePanel({ row }: { page: Page; row: number }): JSX.Element {
  return <dialog open aria-label={`sample ${row}`} />;
}
