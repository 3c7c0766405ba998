// The plot with its tools: lasso, zoom, keys, caption of the point under the pointer.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Page } from "../../data";
import { described, factsOf, idOf } from "../../parts/facts";
import { useLoaded } from "../../parts/loaded";
import { hasPictures } from "../../parts/pictures/sheets";
import { Thumbnail } from "../../parts/thumbnail";
import { choose, head, isBlind, sample } from "../../state";
import type { Places } from "./places";
import { Scatter, type Found, type Looks } from "./scatter";

interface Hovered {
  row: number;
  x: number;
  y: number;
  /** In which half of the frame it is. */
  isRight: boolean;
  isLow: boolean;
}

interface PlotProps {
  page: Page;
  places: Places;
  looks: Looks;
}

/** What is under the pointer. */
function Caption({ page, hovered: { row, x, y, isRight, isLow } }: { page: Page; hovered: Hovered }): JSX.Element {
  const id = useLoaded(() => idOf(page, row), [page, row]).value ?? "";
  const facts = useLoaded(() => factsOf(page, head.value), [page, head.value]).value;
  // It opens towards the middle, so that the frame does not cut it.
  const towards = `${isRight ? "calc(-100% - 12px)" : "12px"} ${isLow ? "calc(-100% - 12px)" : "12px"}`;
  return (
    <div class="map-caption" style={{ left: `${x}px`, top: `${y}px`, translate: towards }}>
      {hasPictures(page) && <Thumbnail page={page} row={row} side={96} label="" />}
      <span>{id}</span>
      <span>{facts && described(facts, row, isBlind.value)}</span>
    </div>
  );
}

const KEYS: Record<string, (scatter: Scatter) => void> = {
  ArrowLeft: (scatter) => scatter.pan(0.2, 0),
  ArrowRight: (scatter) => scatter.pan(-0.2, 0),
  ArrowUp: (scatter) => scatter.pan(0, -0.2),
  ArrowDown: (scatter) => scatter.pan(0, 0.2),
  "+": (scatter) => scatter.zoom(1.25),
  "=": (scatter) => scatter.zoom(1.25),
  "-": (scatter) => scatter.zoom(0.8),
  "0": (scatter) => scatter.reset(),
};

function onKey(event: KeyboardEvent, scatter: Scatter | null): void {
  const act = KEYS[event.key];
  if (!scatter || !act || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  act(scatter);
}

/** Open the samples of a lasso; those that the filters took away are left out. */
function openLasso(found: number[], { rows }: Places, mask: Uint8Array | null): void {
  const chosen = found.map((place) => rows[place]).filter((row) => mask === null || mask[row] === 1);
  if (chosen.length > 0) choose("Chosen on the map", chosen.sort((a, b) => a - b));
}

function hoveredAt({ place, x, y }: Found, { rows }: Places, { clientWidth, clientHeight }: HTMLElement): Hovered {
  return { row: rows[place], x, y, isRight: x > clientWidth / 2, isLow: y > clientHeight / 2 };
}

export function Plot({ page, places, looks }: PlotProps): JSX.Element {
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const scatter = useRef<Scatter | null>(null);
  const shown = useRef(looks);
  shown.current = looks;
  const [isLasso, setLasso] = useState(false);
  const [hovered, setHovered] = useState<Hovered | null>(null);
  useEffect(() => {
    const made = new Scatter(frame.current!, canvas.current!, places, {
      onLasso: (found) => openLasso(found, places, shown.current.mask),
      onClick: (place) => (sample.value = places.rows[place]),
      onHover: (found) => setHovered(found && hoveredAt(found, places, frame.current!)),
    });
    scatter.current = made;
    return () => made.destroy();
  }, [places]);
  useEffect(() => {
    void scatter.current!.draw(looks).then(() => performance.mark("cellfeat-map-drawn"));
  }, [places, looks]);
  const switchLasso = (): void => {
    scatter.current?.setLasso(!isLasso);
    setLasso(!isLasso);
  };
  return (
    <>
      <div class="map-tools" role="group" aria-label="Map tools">
        <button type="button" aria-pressed={isLasso} onClick={switchLasso}>Lasso</button>
        <button type="button" aria-label="Zoom in" onClick={() => scatter.current?.zoom(1.25)}>+</button>
        <button type="button" aria-label="Zoom out" onClick={() => scatter.current?.zoom(0.8)}>−</button>
        <button type="button" onClick={() => scatter.current?.reset()}>Reset view</button>
        <span class="quiet">Drag to move, scroll to zoom, Shift and drag for a lasso, click a point to open it.</span>
      </div>
      <div ref={frame} class="map-frame" tabIndex={0} role="group" onKeyDown={(event) => onKey(event, scatter.current)}
        aria-label="Map of samples. Arrow keys move it, plus and minus zoom, 0 resets it. Filters choose samples without a pointer.">
        <canvas ref={canvas} aria-hidden="true" />
        {hovered && <Caption page={page} hovered={hovered} />}
      </div>
    </>
  );
}
