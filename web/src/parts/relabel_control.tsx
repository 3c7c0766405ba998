// Gives a sample a label: by a button, a list, or number keys.

import type { JSX } from "preact";
import { useId, useLayoutEffect, useRef } from "preact/hooks";
import type { Page } from "../data";
import { judge, judgementOf, withdraw } from "../relabel";
import { head } from "../state";
import { judgementFor, labelChoices } from "../views/relabelling/evidence";
import { isTyping, keyOf } from "./keys";
import { factsOf, type Facts } from "./facts";
import { useLoaded } from "./loaded";

/** Labels with a number key; where there are more, the rest is in the list. */
const WITH_KEYS = 9;
const CANNOT_TELL = "";

interface Props {
  page: Page;
  row: number;
  /** Called when a label was given. */
  onJudged?: () => void;
}

function standing(facts: Facts | null, row: number): string {
  const judged = judgementOf(row);
  if (!facts) return "";
  const before = facts.label(row) || "no label";
  if (!judged) return `Label: ${before}. Not judged yet.`;
  if (judged.label === CANNOT_TELL) return `Label: ${before}. You judged: cannot tell.`;
  return judged.label === judged.before ? `You confirmed ${before}.` : `You changed ${before} to ${judged.label}.`;
}

export function RelabelControl({ page, row, onJudged }: Props): JSX.Element {
  const group = useRef<HTMLDivElement>(null);
  const list = useId();
  const facts = useLoaded(() => factsOf(page, head.value), [page, head.value]).value;
  const choices = useLoaded(() => labelChoices(page), [page]).value ?? [];
  const now = judgementOf(row)?.label;
  const before = facts?.label(row) ?? "";
  const give = async (label: string): Promise<void> => {
    if (!facts) return;
    judge(await judgementFor(page, facts, row, label));
    onJudged?.();
  };
  const withKeys = choices.slice(0, WITH_KEYS);
  // Before the next key can be pressed.
  useLayoutEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (isTyping(event) || isCovered(group.current)) return;
      const label = labelOfKey(keyOf(event), withKeys, before);
      if (label === undefined) return;
      event.preventDefault();
      void give(label);
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  });
  return (
    <div ref={group} class="relabel" role="group" aria-label="Label of this sample">
      <p class="standing" role="status">{standing(facts, row)}</p>
      <div class="choices">
        {before && (
          <button type="button" aria-pressed={now === before} aria-keyshortcuts="k" onClick={() => give(before)}>
            <kbd aria-hidden="true">k</kbd> keep {before}
          </button>
        )}
        {withKeys.map((name, place) => (
          <button key={name} type="button" aria-pressed={now === name} aria-keyshortcuts={`${place + 1}`} onClick={() => give(name)}>
            <kbd aria-hidden="true">{place + 1}</kbd> {name}
          </button>
        ))}
        <button type="button" aria-pressed={now === CANNOT_TELL} aria-keyshortcuts="0" onClick={() => give(CANNOT_TELL)}>
          <kbd aria-hidden="true">0</kbd> cannot tell
        </button>
        {choices.length > WITH_KEYS && (
          <label for={list}>
            all labels{" "}
            <select id={list} value={now ?? ""} onChange={(event) => event.currentTarget.value && give(event.currentTarget.value)}>
              <option value="">choose</option>
              {choices.map((name) => <option key={name} value={name}>{name}</option>)}
            </select>
          </label>
        )}
        {now !== undefined && <button type="button" onClick={() => withdraw((one) => one.row === row)}>Withdraw</button>}
      </div>
    </div>
  );
}

function labelOfKey(key: string, withKeys: string[], before: string): string | undefined {
  if (key === "0") return CANNOT_TELL;
  if (key === "k" && before) return before;
  return /^[1-9]$/.test(key) ? withKeys[Number(key) - 1] : undefined;
}

/** Whether a dialog lies over the control, which then has no keys. */
function isCovered(element: HTMLElement | null): boolean {
  const dialog = document.querySelector("dialog[open]");
  return element === null || (dialog !== null && !dialog.contains(element));
}
