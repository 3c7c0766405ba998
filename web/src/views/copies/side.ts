// How large the two samples of a pair are shown: as large as both fit beside each other.

import { useEffect, useState } from "preact/hooks";

/** Three times a thumbnail of 64 pixels; three of them fit into a card. */
const LARGEST = 192;
/** Margins of the view, of a card, and between its pictures. */
const MARGINS = 86;

function fitting(): number {
  return Math.max(96, Math.min(LARGEST, Math.floor((document.documentElement.clientWidth - MARGINS) / 2)));
}

export function usePairSide(): number {
  const [side, setSide] = useState(fitting);
  useEffect(() => {
    const onResize = (): void => setSide(fitting());
    addEventListener("resize", onResize);
    return () => removeEventListener("resize", onResize);
  }, []);
  return side;
}
