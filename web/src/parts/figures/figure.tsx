// A drawing as wide as its place, with a caption; the table beside it says the same to those who do not see it.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

const WIDEST = 760;
const NARROWEST = 280;

interface FigureProps {
  caption: ComponentChildren;
  widest?: number;
  height: (width: number) => number;
  draw: (width: number) => ComponentChildren;
}

export function Figure({ caption, widest = WIDEST, height, draw }: FigureProps): JSX.Element {
  const place = useRef<HTMLElement>(null);
  const [available, setAvailable] = useState(widest);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setAvailable(Math.round(entry.contentRect.width)));
    observer.observe(place.current!);
    return () => observer.disconnect();
  }, []);
  const width = Math.min(Math.max(available, NARROWEST), widest);
  return (
    <figure ref={place}>
      <svg class="drawing" viewBox={`0 0 ${width} ${height(width)}`} width={width} aria-hidden="true">{draw(width)}</svg>
      <figcaption class="quiet">{caption}</figcaption>
    </figure>
  );
}

/** Text that ends where its place ends. */
export function Cut({ text, width, ...place }: { text: string; width: number; x: number; y: number; class?: string }): JSX.Element {
  const longest = Math.max(Math.floor(width / (place.class === "name" ? 8 : 7)), 3);
  const letters = [...text];
  return <text {...place}>{letters.length > longest ? `${letters.slice(0, longest - 1).join("")}…` : text}</text>;
}
