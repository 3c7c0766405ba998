import type { JSX } from "preact";
import type { Page } from "../data";

export function HeadsView({ page }: { page: Page }): JSX.Element {
  return <p>{page.title}</p>;
}
