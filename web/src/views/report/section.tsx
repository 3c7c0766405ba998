// Parts of a report: a section with its title, facts, and scrolling boxes for tables.

import type { ComponentChildren, JSX } from "preact";
import type { Fact } from "../../data";

export function Section({ title, children }: { title: string; children: ComponentChildren }): JSX.Element {
  return (
    <section class="part">
      <h2>{title}</h2>
      {children}
    </section>
  );
}

/** A table may be wider than a narrow screen: it scrolls within its own box. */
export function TableBox({ label, children }: { label: string; children: ComponentChildren }): JSX.Element {
  return <div class="table-box" role="region" aria-label={label} tabIndex={0}>{children}</div>;
}

export function Facts({ facts }: { facts: Fact[] }): JSX.Element {
  return (
    <dl class="facts">
      {facts.map(({ name, value }, place) => (
        <div key={place}><dt>{name}</dt><dd>{value}</dd></div>
      ))}
    </dl>
  );
}

export function Sentences({ texts }: { texts: string[] }): JSX.Element {
  return <ul class="sentences">{texts.map((text, place) => <li key={place}>{text}</li>)}</ul>;
}
