// The frame: which view is shown, the gallery beside it, and the sample that is shown large.

import type { JSX } from "preact";
import type { Page } from "./data";
import { Boundary } from "./frame/boundary";
import { Header } from "./frame/header";
import { Help } from "./frame/help";
import { Gallery } from "./parts/gallery";
import { SamplePanel } from "./parts/sample";
import { isBlind, problem, sample, selection, setBlind, view, type View } from "./state";
import { VIEWS, shownView } from "./views/list";

function focusView(event: Event): void {
  // The address after "#" holds what is shown: the link must not replace it.
  event.preventDefault();
  document.getElementById("view")?.focus();
}

function Problem(): JSX.Element | null {
  if (!problem.value) return null;
  return (
    <p role="alert" class="problem">
      {problem.value}{" "}
      <button type="button" onClick={() => (problem.value = "")}>Dismiss</button>
    </p>
  );
}

/** Says in every view that predictions are hidden, and ends it. */
function BlindNotice({ current }: { current: View }): JSX.Element | null {
  if (!isBlind.value) return null;
  return (
    <div class="blind-notice" role="region" aria-label="Judging blind">
      <span>Labels are judged blind: predictions are hidden in all views.</span>
      {current !== "relabel" && <button type="button" onClick={() => (view.value = "relabel")}>Go on judging</button>}
      <button type="button" onClick={() => setBlind(false)}>End, and show predictions</button>
    </div>
  );
}

function Hidden({ title }: { title: string }): JSX.Element {
  return <p>{title} shows predictions: it is hidden until you end judging blind.</p>;
}

export function App({ page }: { page: Page }): JSX.Element {
  const current = shownView(page, view.value);
  const { title, tells, show: Shown } = VIEWS[current];
  const gallery = current === "overview" ? null : selection.value;
  return (
    <>
      <a class="skip" href="#view" onClick={focusView}>Skip to content</a>
      <Header page={page} current={current} />
      <BlindNotice current={current} />
      <Problem />
      <main class={gallery ? "with-gallery" : ""}>
        <section id="view" class="view" tabIndex={-1} aria-label={title}>
          <Boundary key={current} title={title}>{tells && isBlind.value ? <Hidden title={title} /> : <Shown page={page} />}</Boundary>
        </section>
        {gallery && <Boundary key="gallery" title="The gallery"><Gallery page={page} selection={gallery} /></Boundary>}
      </main>
      {sample.value !== null && <Boundary key="sample" title="The sample"><SamplePanel page={page} row={sample.value} /></Boundary>}
      <Help page={page} />
    </>
  );
}
