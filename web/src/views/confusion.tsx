import type { JSX } from "preact";
import type { Page } from "../data";

export function ConfusionView({ page }: { page: Page }): JSX.Element {
  return <p>{page.title}</p>;
}
