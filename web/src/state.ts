// What is shown now. Views read and set these signals; they do not call each other.

import { batch, signal } from "@preact/signals";
import type { Page } from "./data";

export const VIEW_NAMES = ["overview", "confusion", "map", "copies", "heads", "relabel"] as const;
export type View = (typeof VIEW_NAMES)[number];

/** Samples that were chosen, in the order in which a gallery shows them. */
export interface Selection {
  title: string;
  rows: Uint32Array;
}

/** What two heads made of a sample. "a" is the head that is shown, "b" the other one. */
export const OUTCOMES = ["a-right", "b-right", "same-mistake", "other-mistakes", "both-right"] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** Place of a class, NONE (samples without one), or null (any). */
export type ClassPlace = number | null;
export const NONE = -1;

export const EVERY = ["mistakes", "samples"] as const;
export type Every = (typeof EVERY)[number];

/** Samples that a link can name: a cell of the confusion matrix, or an outcome of two heads. */
export interface Choice {
  /** Place in `page.classes`. */
  truth: ClassPlace;
  /** Place in the head's `predictedClasses`. */
  predicted: ClassPlace;
  /** null: a cell of the confusion matrix. */
  outcome: Outcome | null;
  /** Of all classes: the wrong predictions, or all samples. */
  every?: Every;
}

export const view = signal<View>("overview");
/** Name of the head whose predictions are shown. */
export const head = signal<string>("");
/** Name of the head that it is held against. */
export const other = signal<string>("");
/** What the gallery shows, where a link can name it; it fills `selection`. */
export const choice = signal<Choice | null>(null);
/** The gallery beside the view; null: none. */
export const selection = signal<Selection | null>(null);
/** The sample that is shown large; null: none. */
export const sample = signal<number | null>(null);
/** Whether predictions and confidences are hidden everywhere while labels are judged. */
export const isBlind = signal(false);
/** What could not be loaded, as a sentence; "" where all is well. */
export const problem = signal("");

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
  other.value = page.heads[1]?.name ?? "";
  channels.value = firstChannels(page);
}

export function choose(title: string, rows: ArrayLike<number>): void {
  batch(() => {
    choice.value = null;
    selection.value = { title, rows: Uint32Array.from(rows) };
  });
}

/** Hide predictions everywhere, or show them again; what stood beside them is closed. */
export function setBlind(is: boolean): void {
  batch(() => {
    isBlind.value = is;
    choice.value = null;
    selection.value = null;
    sample.value = null;
  });
}

/** Show all samples that the chosen head gets wrong, the most confident answers first. */
export function showMistakes(): void {
  batch(() => {
    view.value = "confusion";
    choice.value = { truth: null, predicted: null, outcome: null, every: "mistakes" };
  });
}

/** Show another head. Places of predicted classes differ between heads: a cell of one means another in the next. */
export function showHead(name: string): void {
  batch(() => {
    if (choice.value) selection.value = null;
    choice.value = null;
    head.value = name;
  });
}
