// The list of keys.

import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { Page } from "../data";
import { VIEWS, viewsOf } from "../views/list";

export const isHelpOpen = signal(false);

const KEYS: [string, string][] = [
  ["Arrow keys", "move in the confusion matrix, the gallery and the buttons of the views"],
  ["Home, End", "go to the first or last cell of a row"],
  ["Enter", "opens: the samples of a cell, a sample large"],
  ["Esc", "closes the large sample, then the gallery"],
  ["← →", "in a large sample: the one before, the one after"],
  ["G", "goes to the pictures of the gallery, and back"],
  ["C", "shows one channel after the other, then all"],
  ["+ − 0", "on the map: nearer, farther, all"],
  ["M, N", "in Copies and labels: the samples of the pair are really copies, are not"],
  ["1 to 9, 0, K", "in a large sample, and while labels are judged blind: give a label, cannot tell, keep the label"],
  ["U, X", "while labels are judged blind: undo, later"],
  ["?", "opens this list"],
];

function KeyList({ page }: { page: Page }): JSX.Element {
  const views = viewsOf(page).map((name, place): [string, string] => [String(place + 1), VIEWS[name].title]);
  return (
    <table>
      <thead><tr><th scope="col">Key</th><th scope="col">What it does</th></tr></thead>
      <tbody>
        {[...views, ...KEYS].map(([key, meaning]) => (
          <tr key={key}><th scope="row"><kbd>{key}</kbd></th><td>{meaning}</td></tr>
        ))}
      </tbody>
    </table>
  );
}

export function Help({ page }: { page: Page }): JSX.Element | null {
  const dialog = useRef<HTMLDialogElement>(null);
  const isOpen = isHelpOpen.value;
  useLayoutEffect(() => {
    if (isOpen) dialog.current?.showModal();
  }, [isOpen]);
  if (!isOpen) return null;
  return (
    <dialog ref={dialog} class="help" aria-labelledby="help-title" onClose={() => (isHelpOpen.value = false)}>
      <h2 id="help-title">Keys</h2>
      <KeyList page={page} />
      <p><button type="button" onClick={() => dialog.current?.close()}>Close</button></p>
    </dialog>
  );
}
