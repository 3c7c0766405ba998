// Title, views, the head that is shown, colours, and help.

import type { JSX } from "preact";
import type { Page } from "../data";
import { head, showHead, view, type View } from "../state";
import { VIEWS, viewsOf } from "../views/list";
import { score } from "../words";
import { isHelpOpen } from "./help";
import { SchemeSwitch } from "./scheme";

function ViewButton({ name, isCurrent }: { name: View; isCurrent: boolean }): JSX.Element {
  return (
    <button type="button" aria-current={isCurrent ? "page" : undefined} onClick={() => (view.value = name)}>
      {VIEWS[name].title}
    </button>
  );
}

/** Arrow keys move between the buttons of a group. */
function moveBetweenButtons(event: JSX.TargetedKeyboardEvent<HTMLElement>): void {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const buttons = [...event.currentTarget.querySelectorAll("button")];
  const place = buttons.indexOf(document.activeElement as HTMLButtonElement);
  buttons[(place + step + buttons.length) % buttons.length]?.focus();
  event.preventDefault();
}

function HeadChooser({ page }: { page: Page }): JSX.Element {
  return (
    <label class="control">
      Head{" "}
      <select value={head.value} onChange={(event) => showHead(event.currentTarget.value)}>
        {page.heads.map((one) => (
          <option key={one.name} value={one.name}>
            {one.name} ({score(one.score)})
          </option>
        ))}
      </select>
    </label>
  );
}

export function Header({ page, current }: { page: Page; current: View }): JSX.Element {
  return (
    <header class="top">
      <h1>{page.title}</h1>
      <nav aria-label="Views" onKeyDown={moveBetweenButtons}>
        {viewsOf(page).map((name) => <ViewButton key={name} name={name} isCurrent={name === current} />)}
      </nav>
      <div class="controls">
        {page.heads.length > 1 && <HeadChooser page={page} />}
        <SchemeSwitch />
        <button type="button" aria-keyshortcuts="?" onClick={() => (isHelpOpen.value = true)}>Keys</button>
      </div>
    </header>
  );
}
