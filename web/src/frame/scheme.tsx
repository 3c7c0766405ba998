// Dark or light: as the system says, or as chosen here.

import { effect, signal } from "@preact/signals";
import type { JSX } from "preact";
import { recall, remember } from "../kept";

const SCHEMES = ["system", "light", "dark"] as const;
type Scheme = (typeof SCHEMES)[number];

const scheme = signal<Scheme>(SCHEMES.find((name) => name === recall("scheme")) ?? "system");

effect(() => {
  document.documentElement.dataset.scheme = scheme.value;
});

export function SchemeSwitch(): JSX.Element {
  return (
    <label class="control">
      Colours{" "}
      <select
        value={scheme.value}
        onChange={(event) => {
          scheme.value = event.currentTarget.value as Scheme;
          remember("scheme", scheme.value);
        }}
      >
        {SCHEMES.map((name) => <option key={name} value={name}>{name}</option>)}
      </select>
    </label>
  );
}
