// Keeps the gallery in sight when it opens, and puts the focus back when it closes.

import { effect } from "@preact/signals";
import { selection } from "../state";

function isInSight(element: Element): boolean {
  const { top, bottom } = element.getBoundingClientRect();
  return top < window.innerHeight * 0.7 && bottom > 0;
}

function showGallery(): void {
  const gallery = document.querySelector(".gallery");
  if (gallery && !isInSight(gallery)) gallery.scrollIntoView({ block: "start" });
}

export function followGallery(): void {
  let opener: Element | null = null;
  effect(() => {
    const isOpen = selection.value !== null;
    if (isOpen) {
      if (!document.activeElement?.closest(".gallery")) opener = document.activeElement;
      requestAnimationFrame(showGallery);
      return;
    }
    const from = opener;
    opener = null;
    requestAnimationFrame(() => {
      // The focused button of a gallery that closed leaves the focus on the body.
      if (document.activeElement === document.body && from instanceof HTMLElement) from.focus();
    });
  });
}
