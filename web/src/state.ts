// What is shown now. Views read and set these signals; they do not call each other.

import { signal } from "@preact/signals";
import type { Page } from "./data";

export type View = "overview" | "confusion" | "map" | "copies" | "heads" | "relabel";

/** Samples that were chosen, in the order in which a gallery shows them. */
export interface Selection {
  title: string;
  rows: Uint32Array;
}

export const view = signal<View>("overview");
/** Name of the head whose predictions are shown. */
export const head = signal<string>("");
/** The gallery beside the view; null: none. */
export const selection = signal<Selection | null>(null);
/** The sample that is shown large; null: none. */
export const sample = signal<number | null>(null);
/** Whether predictions and confidences are hidden everywhere while labels are judged. */
export const isBlind = signal(false);

/** How a channel is drawn, in the order of `page.channels`. */
export interface ChannelView {
  isActive: boolean;
  colour: string;
  /** Values of the thumbnail, 0 to 255, that become black and white. */
  low: number;
  high: number;
  gamma: number;
}
export const channels = signal<ChannelView[]>([]);

/** Channels that are drawn at first: the colours of more add up to white. */
const FIRST_CHANNELS = 4;

/** How channels are drawn at first. */
export function firstChannels(page: Page): ChannelView[] {
  return page.channels.map(({ colour }, place) => ({ isActive: place < FIRST_CHANNELS, colour, low: 0, high: 255, gamma: 1 }));
}

export function begin(page: Page): void {
  head.value = page.heads[0]?.name ?? "";
  channels.value = firstChannels(page);
}

export function choose(title: string, rows: ArrayLike<number>): void {
  selection.value = { title, rows: Uint32Array.from(rows) };
}
