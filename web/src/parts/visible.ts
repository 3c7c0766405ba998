// Whether an element is on the screen: pictures are loaded and drawn only then.

import type { RefObject } from "preact";
import { useEffect, useState } from "preact/hooks";

const listeners = new WeakMap<Element, (isVisible: boolean) => void>();
const observer = new IntersectionObserver(
  (entries) => entries.forEach((entry) => listeners.get(entry.target)?.(entry.isIntersecting)),
  { rootMargin: "200px" },
);

export function useVisible(element: RefObject<Element>): boolean {
  const [isVisible, setVisible] = useState(false);
  useEffect(() => {
    const watched = element.current!;
    listeners.set(watched, setVisible);
    observer.observe(watched);
    return () => {
      observer.unobserve(watched);
      listeners.delete(watched);
    };
  }, []);
  return isVisible;
}
