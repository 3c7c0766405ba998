// The picture of a sample: exact pixels where the page is served, the thumbnail otherwise.

import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { Page } from "../../data";
import { channels, type ChannelView } from "../../state";
import { valueOf } from "../channel_bar";
import { useLoaded } from "../loaded";
import type { Layer, Plane } from "../pictures/compose";
import { cropOf } from "../pictures/crops";
import { hasPicture, thumbnailOf } from "../pictures/sheets";
import { layersOf, Picture, Thumbnail } from "../thumbnail";

interface Pixels {
  row: number;
  planes: Plane[];
  isExact: boolean;
}

async function pixelsOf(page: Page, row: number): Promise<Pixels> {
  const exact = await cropOf(row);
  if (exact?.length === page.channels.length) return { row, planes: exact, isExact: true };
  return { row, planes: await thumbnailOf(page, row), isExact: false };
}

/** The same layers in values of the image. */
function inImageValues(page: Page, layers: (Layer | null)[]): (Layer | null)[] {
  return layers.map((layer, place) => {
    const channel = page.channels[place];
    return layer && { ...layer, low: valueOf(channel, layer.low), high: valueOf(channel, layer.high) };
  });
}

function Channels({ page, pixels, views, isSmooth }: { page: Page; pixels: Pixels; views: ChannelView[]; isSmooth: boolean }): JSX.Element {
  const each = useMemo(
    () => page.channels.map((_, place) => (pixels.isExact ? inImageValues(page, layersOf(views, place)) : layersOf(views, place))),
    [page, pixels, views],
  );
  return (
    <div class="each-channel">
      {page.channels.map(({ name }, place) => (
        <figure key={place}>
          <span class="thumbnail" role="img" aria-label={`channel ${name}`}>
            <Picture planes={pixels.planes} layers={each[place]} isSmooth={isSmooth} />
          </span>
          <figcaption>{name}</figcaption>
        </figure>
      ))}
    </div>
  );
}

export function LargePicture({ page, row }: { page: Page; row: number }): JSX.Element {
  const [isSmooth, setSmooth] = useState(true);
  const { value: pixels, problem } = useLoaded(() => pixelsOf(page, row), [page, row]);
  const views = channels.value;
  const isExact = pixels?.isExact ?? false;
  const layers = useMemo(() => (isExact ? inImageValues(page, layersOf(views)) : layersOf(views)), [page, views, isExact]);
  if (!hasPicture(page, row) || problem) {
    return (
      <div class="large">
        <Thumbnail page={page} row={row} side={160} label="no picture" />
        <p class="quiet">{problem || page.picturesNote}</p>
      </div>
    );
  }
  return (
    <div class="large">
      <span class="thumbnail whole" role="img" aria-label="all active channels">
        {pixels && <Picture planes={pixels.planes} layers={layers} isSmooth={isSmooth} />}
      </span>
      <label class="channel-toggle">
        <input type="checkbox" checked={isSmooth} onChange={(event) => setSmooth(event.currentTarget.checked)} />
        smoothed
      </label>
      {pixels && <span class="quiet">{sizeOf(pixels)}</span>}
      {pixels && page.channels.length > 1 && <Channels {...{ page, pixels, views, isSmooth }} />}
    </div>
  );
}

function sizeOf({ planes, isExact }: Pixels): string {
  const size = `${planes[0].width} × ${planes[0].height} pixels`;
  return isExact ? `${size} of the image` : `thumbnail, ${size}`;
}
