// The plot of points, drawn by WebGL.

import createScatterplot from "regl-scatterplot";
import { UNSELECTED, type Colouring, type Theme } from "./colours";
import type { Places } from "./places";
import { linearScale } from "./scale";

/** A point with its position in the canvas. */
export interface Found {
  place: number;
  x: number;
  y: number;
}

export interface ScatterEvents {
  /** Points inside a lasso. */
  onLasso: (places: number[]) => void;
  onClick: (place: number) => void;
  /** The point under the pointer; null: none. */
  onHover: (found: Found | null) => void;
}

export interface Looks {
  colouring: Colouring;
  /** 1 for each sample that is not grey; null: all. */
  mask: Uint8Array | null;
  theme: Theme;
}

type Plot = ReturnType<typeof createScatterplot>;

/** Looks of a point, the last number of its data. */
const [GREY, NORMAL, HELD_OUT] = [0, 1, 2];

let isAble: boolean | undefined;

/** Whether this browser can draw the map. */
export function hasWebGl(): boolean {
  return (isAble ??= tryWebGl());
}

function tryWebGl(): boolean {
  const context = document.createElement("canvas").getContext("webgl");
  const isFit = Boolean(context?.getExtension("OES_texture_float"));
  // A page may hold few contexts: this one is given back.
  context?.getExtension("WEBGL_lose_context")?.loseContext();
  return isFit;
}

/** The more points, the smaller and fainter each. */
function sizes(nPoints: number): { size: number; opacity: number } {
  const size = Math.min(Math.max(22 / Math.log10(nPoints + 10) - 2.5, 1), 9);
  return { size: nPoints > 200_000 ? 1 : size, opacity: nPoints > 200_000 ? 0.35 : nPoints > 10_000 ? 0.6 : 0.85 };
}

export class Scatter {
  private readonly plot: Plot;
  private readonly observer: ResizeObserver;
  private wanted: Looks | null = null;
  private isDrawing = false;
  private isLasso = false;
  private isGone = false;
  private isOrdered = false;
  private index: ArrayBuffer | undefined;

  constructor(private readonly frame: HTMLElement, canvas: HTMLCanvasElement, private readonly places: Places, events: ScatterEvents) {
    const { size, opacity } = sizes(places.points.length);
    this.plot = createScatterplot({
      canvas,
      width: Math.max(frame.clientWidth, 1),
      height: Math.max(frame.clientHeight, 1),
      xScale: linearScale() as never,
      yScale: linearScale() as never,
      pointSize: [size * 0.8, size, size * 2.2],
      opacity: [Math.min(opacity, 0.35), opacity, 0.95],
      sizeBy: "w",
      opacityBy: "w",
      colorBy: "z",
      pointSizeSelected: 1,
      pointOutlineWidth: 1,
      opacityInactiveScale: 1,
      lassoMinDelay: 0,
      // Pages from files may not start workers.
      spatialIndexUseWorker: false,
      ...{ lassoInitiator: false, lassoOnLongPress: false, actionKeyMap: { lasso: "shift" } },
    });
    this.listen(events);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(frame);
  }

  private listen({ onLasso, onClick, onHover }: ScatterEvents): void {
    this.plot.subscribe("lassoStart", () => (this.isLasso = true));
    this.plot.subscribe("select", ({ points }) => {
      if (this.isLasso || points.length !== 1) return;
      onClick(points[0]);
      this.plot.deselect({ preventEvent: true });
    });
    this.plot.subscribe("lassoEnd", () => {
      this.isLasso = false;
      onLasso(this.plot.get("selectedPoints"));
    });
    this.plot.subscribe("pointOver", (place) => {
      const [x, y] = this.plot.getScreenPosition(place) ?? [0, 0];
      onHover({ place, x, y });
    });
    this.plot.subscribe("pointOut", () => onHover(null));
    this.plot.subscribe("view", () => onHover(null));
  }

  private resize(): void {
    const { clientWidth: width, clientHeight: height } = this.frame;
    if (width > 0 && height > 0) void this.plot.set({ width, height });
  }

  /** Draw; while a drawing is under way, only the last looks that were asked for follow. */
  async draw(looks: Looks): Promise<void> {
    this.wanted = looks;
    if (this.isDrawing || this.places.points.length === 0) return;
    this.isDrawing = true;
    while (this.wanted && !this.isGone) {
      const now = this.wanted;
      this.wanted = null;
      await this.drawNow(now);
    }
    this.isDrawing = false;
  }

  private async drawNow({ colouring, mask, theme }: Looks): Promise<void> {
    const { points, rows, isHeldOut } = this.places;
    for (let place = 0; place < points.length; place++) {
      const row = rows[place];
      const isLeft = mask === null || mask[row] === 1;
      points[place][2] = isLeft ? colouring.numberOf(row) : UNSELECTED;
      points[place][3] = !isLeft ? GREY : isHeldOut?.[row] ? HELD_OUT : NORMAL;
    }
    this.plot.deselect({ preventEvent: true });
    void this.plot.set({
      pointColor: colouring.colours,
      backgroundColor: theme.back,
      lassoColor: theme.isDark ? "#ffd166" : "#0063a3",
      ...this.orderOf(mask !== null || isHeldOut !== null),
    });
    await this.plot.draw(points, {
      zDataType: "categorical",
      wDataType: "categorical",
      // Neither places nor order change: a million points are not sorted again.
      spatialIndex: this.index,
      preventFilterReset: this.index !== undefined,
    });
    if (!this.isGone) this.index ??= this.plot.get("spatialIndex");
  }

  /** Grey points are drawn first, held-out samples last; nothing where the order stays as it is. */
  private orderOf(isMixed: boolean): { pointOrder?: number[] | null } {
    if (!isMixed && !this.isOrdered) return {};
    this.isOrdered = isMixed;
    if (!isMixed) return { pointOrder: null };
    const order: number[] = [];
    for (const look of [GREY, NORMAL, HELD_OUT]) {
      for (let place = 0; place < this.places.points.length; place++) {
        if (this.places.points[place][3] === look) order.push(place);
      }
    }
    return { pointOrder: order };
  }

  setLasso(isOn: boolean): void {
    void this.plot.set({ mouseMode: isOn ? "lasso" : "panZoom" });
  }

  zoom(factor: number): void {
    this.plot.get("camera").scale([factor, factor], [0, 0]);
    this.plot.redraw();
  }

  pan(x: number, y: number): void {
    this.plot.get("camera").pan([x, y]);
    this.plot.redraw();
  }

  reset(): void {
    void this.plot.reset();
    this.plot.redraw();
  }

  destroy(): void {
    this.isGone = true;
    this.observer.disconnect();
    this.plot.destroy();
  }
}
