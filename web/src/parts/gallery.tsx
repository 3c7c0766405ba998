// The chosen samples, in their order; pages through them, and opens one.

import type { JSX } from "preact";
import type { Page } from "../data";
import type { Selection } from "../state";

export function Gallery({ selection }: { page: Page; selection: Selection }): JSX.Element {
  return <aside class="gallery" aria-label={selection.title}>{selection.rows.length}</aside>;
}
