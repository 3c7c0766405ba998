import type { JSX } from "preact";
import type { Page } from "../data";

export function OverviewView({ page }: { page: Page }): JSX.Element {
  return <p>{page.title}</p>;
}
