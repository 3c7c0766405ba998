// Keys that work everywhere, unless a field is being filled in.

import type { Page } from "../data";
import { channels, selection, view } from "../state";
import { viewsOf } from "../views/list";
import { isHelpOpen } from "./help";

const FIELDS = "input:not([type=checkbox], [type=radio], [type=range]), textarea, select, [contenteditable]";
const FOCUSABLE = "button:not([disabled]):not([tabindex='-1']), [href], input, select, [tabindex='0']";

let cameFrom: HTMLElement | null = null;

/** From anywhere to the gallery, and back to where one came from. */
function goToGallery(): void {
  const gallery = document.querySelector<HTMLElement>(".gallery");
  if (!gallery) return;
  const focused = document.activeElement as HTMLElement | null;
  if (gallery.contains(focused)) {
    cameFrom?.focus();
    return;
  }
  cameFrom = focused;
  const [picture, first] = [".items button", FOCUSABLE].map((one) => gallery.querySelector<HTMLElement>(one));
  (picture ?? first ?? gallery).focus();
}

/** All channels, then each alone, then all again. */
export function nextChannels(): void {
  const shown = channels.value;
  const active = shown.flatMap(({ isActive }, place) => (isActive ? [place] : []));
  const next = active.length === 1 ? active[0] + 1 : 0;
  const isAll = next >= shown.length || shown.length === 1;
  channels.value = shown.map((channel, place) => ({ ...channel, isActive: isAll || place === next }));
}

function showView(page: Page, place: number): void {
  const name = viewsOf(page)[place];
  if (!name) return;
  view.value = name;
  // After the view was drawn.
  requestAnimationFrame(() => document.getElementById("view")?.focus());
}

/** Whether the key was for us. */
function press(page: Page, key: string): boolean {
  // What lies behind an open dialog stays as it is; Esc closes the dialog without us.
  const isBehind = document.querySelector("dialog[open]") !== null;
  if (key === "c") nextChannels();
  else if (key === "?") isHelpOpen.value = true;
  else if (isBehind) return false;
  else if (/^[1-9]$/.test(key)) showView(page, Number(key) - 1);
  else if (key === "Escape") selection.value = null;
  else if (key === "g") goToGallery();
  else return false;
  return true;
}

export function listenToKeys(page: Page): void {
  window.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isHelpOpen.value) return;
    const target = event.target;
    if (target instanceof Element && target.closest(FIELDS)) return;
    if (press(page, event.key)) event.preventDefault();
  });
}
