import type { JSX } from "preact";
import type { Page } from "../data";

export function RelabelView({ page }: { page: Page }): JSX.Element {
  return <p>{page.title}</p>;
}
