// A value that is loaded while something is shown.

import { useEffect, useState } from "preact/hooks";

export interface Loaded<T> {
  /** null: not there yet, or it cannot be loaded. */
  value: T | null;
  /** Why it cannot be loaded; "" otherwise. */
  problem: string;
}

/** Load a value again whenever one of `keys` changes. */
export function useLoaded<T>(load: () => Promise<T>, keys: readonly unknown[]): Loaded<T> {
  const [loaded, setLoaded] = useState<Loaded<T>>({ value: null, problem: "" });
  useEffect(() => {
    let isWanted = true;
    load().then(
      (value) => isWanted && setLoaded({ value, problem: "" }),
      (error: unknown) => isWanted && setLoaded({ value: null, problem: error instanceof Error ? error.message : String(error) }),
    );
    return () => {
      isWanted = false;
    };
  }, keys);
  return loaded;
}
