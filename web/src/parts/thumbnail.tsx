// One sample's channels, composed in their colours.

import type { JSX } from "preact";
import type { Page } from "../data";

export interface ThumbnailProps {
  page: Page;
  row: number;
  /** Pixels of a side on the screen. */
  side: number;
  /** What a screen reader says: "A549, predicted HeLa". */
  label: string;
}

export function Thumbnail({ row, side, label }: ThumbnailProps): JSX.Element {
  return <span role="img" aria-label={label} style={{ width: side, height: side }}>{row}</span>;
}
