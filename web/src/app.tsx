// The frame: which view is shown, the gallery beside it, and the sample that is shown large.

import type { JSX } from "preact";
import type { Page } from "./data";
import { Gallery } from "./parts/gallery";
import { SamplePanel } from "./parts/sample";
import { sample, selection, view, type View } from "./state";
import { ConfusionView } from "./views/confusion";
import { CopiesView } from "./views/copies";
import { HeadsView } from "./views/heads";
import { MapView } from "./views/map";
import { OverviewView } from "./views/overview";
import { RelabelView } from "./views/relabel";

/** A view: its title, when there is something to show, and what shows it. */
interface ViewEntry {
  title: string;
  has: (page: Page) => boolean;
  show: (props: { page: Page }) => JSX.Element;
}

const VIEWS: Record<View, ViewEntry> = {
  overview: { title: "Report", has: () => true, show: OverviewView },
  confusion: { title: "Confusion", has: (page) => page.heads.length > 0, show: ConfusionView },
  map: { title: "Map", has: (page) => page.map !== null, show: MapView },
  copies: { title: "Copies and labels", has: (page) => page.audit !== null, show: CopiesView },
  heads: { title: "Head against head", has: (page) => page.heads.length > 1, show: HeadsView },
  relabel: { title: "Relabel", has: (page) => page.nSamples > 0, show: RelabelView },
};

export function App({ page }: { page: Page }): JSX.Element {
  const shown = (Object.keys(VIEWS) as View[]).filter((name) => VIEWS[name].has(page));
  const current = shown.includes(view.value) ? view.value : "overview";
  const Shown = VIEWS[current].show;
  return (
    <>
      <header class="top">
        <h1>{page.title}</h1>
        <nav aria-label="Views">
          {shown.map((name) => (
            <button key={name} type="button" aria-current={name === current ? "page" : undefined} onClick={() => (view.value = name)}>
              {VIEWS[name].title}
            </button>
          ))}
        </nav>
      </header>
      <main class={selection.value && current !== "overview" ? "with-gallery" : ""}>
        <section class="view" aria-label={VIEWS[current].title}>
          <Shown page={page} />
        </section>
        {selection.value && current !== "overview" && <Gallery page={page} selection={selection.value} />}
      </main>
      {sample.value !== null && <SamplePanel page={page} row={sample.value} />}
    </>
  );
}
