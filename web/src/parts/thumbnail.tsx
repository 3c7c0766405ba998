// One sample's channels, composed in their colours.

import type { JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { Page } from "../data";
import { channels, type ChannelView } from "../state";
import { idOf } from "./facts";
import { useLoaded } from "./loaded";
import { compose, type Layer, type Plane } from "./pictures/compose";
import { hasPicture, thumbnailOf } from "./pictures/sheets";
import { useVisible } from "./visible";

export interface ThumbnailProps {
  page: Page;
  row: number;
  /** Pixels of a side on the screen. */
  side: number;
  /** What a screen reader says: "A549, predicted HeLa"; "": the text beside it says all. */
  label: string;
  /** The only channel, in grey; all active channels in their colours where it is left out. */
  channel?: number;
  isSmooth?: boolean;
}

/** The channels that are drawn, in values of thumbnails; null for one that is not. */
export function layersOf(views: ChannelView[], channel?: number): (Layer | null)[] {
  if (channel === undefined) return views.map((view) => (view.isActive ? view : null));
  return views.map((view, place) => (place === channel ? { ...view, colour: "#ffffff" } : null));
}

/** A canvas with planes in their layers. */
export function Picture({ planes, layers, isSmooth = true }: { planes: Plane[]; layers: (Layer | null)[]; isSmooth?: boolean }): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => compose(canvas.current!, planes, layers), [planes, layers]);
  return <canvas ref={canvas} class={isSmooth ? "picture" : "picture sharp"} aria-hidden="true" />;
}

/** What stands in place of a picture. */
function Tile({ page, row, label, problem }: { page: Page; row: number; label: string; problem: string }): JSX.Element {
  const id = useLoaded(() => idOf(page, row), [page, row]).value ?? "";
  return (
    <span class="tile" title={problem || page.picturesNote}>
      <span>{id}</span>
      {label && <span class="quiet">{label}</span>}
      {problem && <span class="quiet">picture cannot be read</span>}
    </span>
  );
}

export function Thumbnail({ page, row, side, label, channel, isSmooth }: ThumbnailProps): JSX.Element {
  const frame = useRef<HTMLSpanElement>(null);
  const isVisible = useVisible(frame);
  const wanted = isVisible && hasPicture(page, row);
  const picture = useLoaded(async () => (wanted ? { row, planes: await thumbnailOf(page, row) } : null), [page, row, wanted]);
  const views = channels.value;
  const layers = useMemo(() => layersOf(views, channel), [views, channel]);
  const planes = picture.value?.row === row ? picture.value.planes : null;
  const hasNone = !hasPicture(page, row) || picture.problem !== "";
  return (
    <span
      ref={frame}
      class="thumbnail"
      role={label ? "img" : undefined}
      aria-label={label || undefined}
      aria-hidden={label ? undefined : "true"}
      style={{ width: `${side}px`, height: `${side}px` }}
    >
      {planes && <Picture planes={planes} layers={layers} isSmooth={isSmooth} />}
      {hasNone && <Tile page={page} row={row} label={label} problem={picture.problem} />}
    </span>
  );
}
