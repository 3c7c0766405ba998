// The views, in the order of their buttons.

import type { JSX } from "preact";
import type { Page } from "../data";
import { VIEW_NAMES, type View } from "../state";
import { ConfusionView } from "./confusion";
import { CopiesView } from "./copies";
import { HeadsView } from "./heads";
import { MapView } from "./map";
import { OverviewView } from "./overview";
import { RelabelView } from "./relabel";

/** A view: its title, when there is something to show, and what shows it. */
interface ViewEntry {
  title: string;
  has: (page: Page) => boolean;
  /** Whether it tells what a head makes of single samples, and is hidden while labels are judged. */
  tells?: true;
  show: (props: { page: Page }) => JSX.Element;
}

export const VIEWS: Record<View, ViewEntry> = {
  overview: { title: "Report", has: () => true, show: OverviewView },
  confusion: { title: "Confusion", has: (page) => page.heads.length > 0, tells: true, show: ConfusionView },
  map: { title: "Map", has: (page) => page.map !== null, show: MapView },
  copies: { title: "Copies and labels", has: (page) => page.audit !== null, show: CopiesView },
  heads: { title: "Head against head", has: (page) => page.heads.length > 1, tells: true, show: HeadsView },
  relabel: { title: "Relabel", has: (page) => page.nSamples > 0, show: RelabelView },
};

export function viewsOf(page: Page): View[] {
  return VIEW_NAMES.filter((name) => VIEWS[name].has(page));
}

/** The view that is shown: the chosen one, or the report where this page does not have it. */
export function shownView(page: Page, wanted: View): View {
  return VIEWS[wanted].has(page) ? wanted : "overview";
}
