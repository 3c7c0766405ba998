// What is shown, kept in the address after "#", so that links and the browser's back button work, also from file://.

import { batch, effect } from "@preact/signals";
import type { Page } from "./data";
import {
  EVERY, NONE, OUTCOMES, VIEW_NAMES, choice, head, isBlind, other, problem, sample, selection, view,
  type Choice, type ClassPlace,
} from "./state";
import { samplesOf } from "./predictions";
import { sentenceOf } from "./words";

function placeText(place: ClassPlace): string | null {
  return place === null ? null : place === NONE ? "none" : String(place);
}

function placeFrom(text: string | null, n: number): ClassPlace {
  if (text === "none") return NONE;
  return wholeFrom(text, n);
}

/** A number from 0 to n - 1; null where the text is not one. */
function wholeFrom(text: string | null, n: number): number | null {
  return text !== null && /^\d{1,9}$/.test(text) && Number(text) < n ? Number(text) : null;
}

function written(page: Page): string {
  const shown = choice.value;
  const parts: [string, string | null][] = [
    ["view", view.value],
    ["head", page.heads.length > 1 ? head.value : null],
    ["other", view.value === "heads" || shown?.outcome ? other.value : null],
    ["outcome", shown?.outcome ?? null],
    ["every", shown?.every ?? null],
    ["true", shown ? placeText(shown.truth) : null],
    ["predicted", shown ? placeText(shown.predicted) : null],
    ["sample", sample.value === null ? null : String(sample.value)],
  ];
  return new URLSearchParams(parts.filter((part): part is [string, string] => part[1] !== null)).toString();
}

function choiceFrom(page: Page, parts: URLSearchParams): Choice | null {
  const shown = page.heads.find(({ name }) => name === head.peek());
  if (!shown || isBlind.peek()) return null;
  const truth = placeFrom(parts.get("true"), page.classes.length);
  const predicted = placeFrom(parts.get("predicted"), shown.predictedClasses.length);
  const outcome = OUTCOMES.find((name) => name === parts.get("outcome")) ?? null;
  const every = EVERY.find((name) => name === parts.get("every"));
  if (every) return { truth: null, predicted: null, outcome: null, every };
  return truth === null && predicted === null && outcome === null ? null : { truth, predicted, outcome };
}

function isSame(a: Choice | null, b: Choice | null): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function read(page: Page): void {
  const parts = new URLSearchParams(location.hash.slice(1));
  const isHead = (name: string | null): name is string => page.heads.some((one) => one.name === name);
  batch(() => {
    view.value = VIEW_NAMES.find((name) => name === parts.get("view")) ?? "overview";
    const [shown, against] = [parts.get("head"), parts.get("other")];
    if (isHead(shown)) head.value = shown;
    if (isHead(against)) other.value = against;
    sample.value = wholeFrom(parts.get("sample"), page.nSamples);
    const wanted = choiceFrom(page, parts);
    if (isSame(wanted, choice.peek())) return;
    // A gallery that no link names, such as a region of the map, stays.
    if (!wanted) selection.value = null;
    choice.value = wanted;
  });
}

/** Fill the gallery with the samples of `choice`, whenever it or a head changes. */
function followChoice(page: Page): void {
  effect(() => {
    const wanted = choice.value;
    const shown = page.heads.find(({ name }) => name === head.value);
    const against = other.value;
    if (!wanted || !shown) return;
    samplesOf(page, shown, wanted, against).then(
      (found) => {
        if (choice.peek() === wanted && head.peek() === shown.name && found) selection.value = found;
      },
      (error: unknown) => (problem.value = sentenceOf(error)),
    );
  });
  // Closing the gallery ends the choice.
  effect(() => {
    if (selection.value === null) choice.value = null;
  });
  effect(() => {
    if (!isBlind.value) return;
    choice.value = null;
    selection.value = null;
  });
}

const SAMPLE = /&sample=\d+$/;

/** Steps from sample to sample, and completing an address, are nothing to go back to. */
function write(text: string, isFirst: boolean): void {
  // In the frame of a notebook, "#…" would be an address of the notebook, and replace the page by it.
  if (location.protocol === "about:") return;
  const before = location.hash;
  if (text === before) return;
  const isStep = SAMPLE.test(text) && SAMPLE.test(before) && text.replace(SAMPLE, "") === before.replace(SAMPLE, "");
  // In a notebook the page is the text of a frame, where "#…" alone would mean the notebook's address.
  if (isFirst || isStep) location.replace(location.href.split("#")[0] + text);
  else location.hash = text;
}

/** Keep the address and the signals equal. */
export function followAddress(page: Page): void {
  followChoice(page);
  read(page);
  let isFirst = true;
  effect(() => write(`#${written(page)}`, isFirst));
  isFirst = false;
  window.addEventListener("hashchange", () => read(page));
}
