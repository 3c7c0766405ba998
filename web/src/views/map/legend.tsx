// What the colours of points mean; a click on a category filters by it.

import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { Page } from "../../data";
import { categoryColour, N_COLOURS, placesInPalette, scaleColour, themeOf } from "./colours";
import { countsOf, type Field, type Values } from "./fields";
import { filters, toggleCategory } from "./filters";

/** Categories that are listed: those with most samples. */
const MOST = 40;

interface LegendProps {
  page: Page;
  field: Field;
  values: Values;
  isDark: boolean;
}

export function shownNumber(value: number): string {
  return Number(value.toPrecision(4)).toLocaleString("en");
}

function NumberLegend({ values, isDark }: { values: Extract<Values, { kind: "number" }>; isDark: boolean }): JSX.Element {
  if (values.low > values.high) return <p>No sample has a value.</p>;
  const stops = Array.from({ length: 10 }, (_, step) => scaleColour(step / 9, isDark)).join(", ");
  return (
    <div>
      <div class="scale" role="img" aria-label={`from ${shownNumber(values.low)}, dark, to ${shownNumber(values.high)}, light`}
        style={{ background: `linear-gradient(to right, ${stops})` }} />
      <div class="scale-ends"><span>{shownNumber(values.low)}</span><span>{shownNumber(values.high)}</span></div>
      <p class="quiet"><span class="dot" style={{ background: themeOf(isDark).noValue }} /> no value</p>
    </div>
  );
}

function CategoryLegend({ page, field, values, isDark }: LegendProps & { values: Extract<Values, { kind: "category" }> }): JSX.Element {
  const counts = useMemo(() => countsOf(values), [values]);
  const places = useMemo(() => placesInPalette(values.categories, page.classes), [values, page]);
  const codes = useMemo(() => [...values.categories.keys()].sort((a, b) => counts[b] - counts[a] || a - b), [counts, values]);
  const listed = values.categories.length <= MOST ? [...values.categories.keys()] : codes.slice(0, MOST);
  const chosen = filters.value.find((filter) => filter.key === field.key)?.codes ?? [];
  const without = counts[values.categories.length];
  return (
    <>
      <ul class="legend" aria-label={`Colours: ${field.title}`}>
        {listed.map((code) => (
          <li key={code}>
            <button type="button" aria-pressed={chosen.includes(code)} onClick={() => toggleCategory(field.key, code)}>
              <span class="dot" style={{ background: categoryColour(places[code], isDark) }} />
              <span class="name">{values.categories[code]}</span>
              <span class="number">{counts[code].toLocaleString("en")}</span>
            </button>
          </li>
        ))}
        {without > 0 && (
          <li class="none"><span class="dot" style={{ background: themeOf(isDark).noValue }} /> no value <span class="number">{without.toLocaleString("en")}</span></li>
        )}
      </ul>
      {codes.length > MOST && <p class="quiet">And {(codes.length - MOST).toLocaleString("en")} more: find one by a filter.</p>}
      {codes.length > N_COLOURS && <p class="quiet">Colours repeat after {N_COLOURS}: click a name to show it alone.</p>}
    </>
  );
}

export function Legend(props: LegendProps): JSX.Element | null {
  const { values, field, isDark } = props;
  if (values.kind === "number") return <NumberLegend values={values} isDark={isDark} />;
  return values.kind === "category" ? <CategoryLegend key={field.key} {...props} values={values} /> : null;
}
