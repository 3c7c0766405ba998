// Chooses one kind of findings, with how many there are of each.

import type { JSX } from "preact";
import { kindsOf } from "./shown";

interface Props {
  label: string;
  found: { finding: string }[];
  /** null: all. */
  shown: string | null;
  onShow: (kind: string | null) => void;
}

export function Kinds({ label, found, shown, onShow }: Props): JSX.Element | null {
  const kinds = kindsOf(found);
  if (kinds.length < 2) return null;
  const entries: [string | null, number][] = [[null, found.length], ...kinds];
  return (
    <div class="tools" role="group" aria-label={label}>
      {entries.map(([name, n]) => (
        <button key={name} type="button" aria-pressed={name === shown} onClick={() => onShow(name)}>
          {name ?? "all"} {n.toLocaleString("en")}
        </button>
      ))}
    </div>
  );
}
