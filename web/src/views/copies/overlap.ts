// Where two samples of a pair show the same place: rectangles on each of them, and how one is laid over the other.

import type { Pair } from "../../data";

type Overlap = NonNullable<Pair["overlap"]>;

interface Size {
  width: number;
  height: number;
}

export interface Box extends Size {
  x: number;
  y: number;
}

export interface Placed {
  /** The overlap on a and on b, as shares of a side of their square thumbnails. */
  onA: Box;
  onB: Box;
  /** A CSS transform that lays the thumbnail of b over that of a. */
  transform: string;
  /** How b is turned; "" where it is not. */
  words: string;
}

function turned({ width, height }: Size, quarters: number): Size {
  return quarters % 2 ? { width: height, height: width } : { width, height };
}

/** Undo one quarter turn anticlockwise: `frame` is the size after it. */
function turnedBack(box: Box, frame: Size): Box {
  return { x: frame.height - box.y - box.height, y: box.x, width: box.height, height: box.width };
}

/** In b's own pixels, before it was mirrored and turned. */
function asInB(box: Box, overlap: Overlap): Box {
  let found = box;
  let frame: Size = overlap;
  for (let turn = 0; turn < overlap.quarters; turn++) {
    found = turnedBack(found, frame);
    frame = turned(frame, 1);
  }
  return overlap.mirrored ? { ...found, x: frame.width - found.x - found.width } : found;
}

/** Pixels of the image that a side of its thumbnail stands for: it is enlarged four times at most. */
function extentOf({ width, height }: Size): number {
  return Math.max(width, height, 16);
}

/** A thumbnail holds the whole image in the middle of a square. */
function inThumbnail(box: Box, image: Size): Box {
  const side = extentOf(image);
  return {
    x: (box.x + (side - image.width) / 2) / side,
    y: (box.y + (side - image.height) / 2) / side,
    width: box.width / side,
    height: box.height / side,
  };
}

function wordsOf({ quarters, mirrored }: Overlap): string {
  const how = [mirrored ? "mirrored" : "", ["", "turned by 90° anticlockwise", "turned by 180°", "turned by 90° clockwise"][quarters]].filter(Boolean);
  return how.length ? `To lie on the left sample, the right one is ${how.join(" and ")}.` : "";
}

export function place(overlap: Overlap, side: number): Placed {
  const { dx, dy, width, height, quarters, mirrored } = overlap;
  const b = turned(overlap, quarters);
  const a: Size = { width: overlap.widthOfA ?? b.width, height: overlap.heightOfA ?? b.height };
  const left = Math.max(0, dx);
  const top = Math.max(0, dy);
  const common: Box = {
    x: left,
    y: top,
    width: Math.max(Math.min(a.width, dx + width) - left, 0),
    height: Math.max(Math.min(a.height, dy + height) - top, 0),
  };
  const scale = side / extentOf(a);
  const right = (dx + width / 2 - a.width / 2) * scale;
  const down = (dy + height / 2 - a.height / 2) * scale;
  const growth = extentOf(b) / extentOf(a);
  return {
    onA: inThumbnail(common, a),
    onB: inThumbnail(asInB({ ...common, x: common.x - dx, y: common.y - dy }, overlap), b),
    transform: `translate(${right}px, ${down}px) rotate(${-90 * quarters}deg) scale(${mirrored ? -growth : growth}, ${growth})`,
    words: wordsOf(overlap),
  };
}
