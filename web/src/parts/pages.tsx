// Buttons that go through a long list, a page at a time.

import type { JSX } from "preact";

interface Props {
  name: string;
  start: number;
  size: number;
  total: number;
  onGo: (start: number) => void;
}

export function Pages({ name, start, size, total, onGo }: Props): JSX.Element | null {
  if (total <= size) return null;
  const last = Math.min(start + size, total);
  return (
    <nav class="tools" aria-label={name}>
      <button type="button" disabled={start === 0} onClick={() => onGo(start - size)}>Previous</button>
      <span>{(start + 1).toLocaleString("en")} to {last.toLocaleString("en")} of {total.toLocaleString("en")}</span>
      <button type="button" disabled={last === total} onClick={() => onGo(start + size)}>Next</button>
    </nav>
  );
}
