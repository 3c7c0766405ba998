// Whether the page is dark: as its reader chose it, or as the system has it.

import { useEffect, useState } from "preact/hooks";

const system = matchMedia("(prefers-color-scheme: dark)");

function isDarkNow(): boolean {
  const { scheme } = document.documentElement.dataset;
  return scheme === "dark" || (scheme !== "light" && system.matches);
}

export function useDark(): boolean {
  const [isDark, setDark] = useState(isDarkNow);
  useEffect(() => {
    const change = (): void => setDark(isDarkNow());
    const observer = new MutationObserver(change);
    observer.observe(document.documentElement, { attributeFilter: ["data-scheme"] });
    system.addEventListener("change", change);
    return () => {
      observer.disconnect();
      system.removeEventListener("change", change);
    };
  }, []);
  return isDark;
}
