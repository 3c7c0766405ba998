// The filters: each leaves some samples; the others turn grey.

import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { useLoaded } from "../../parts/loaded";
import { countsOf, type Field, type Values } from "./fields";
import { addFilter, changeFilter, filters, removeFilter, toggleCategory, type Filter } from "./filters";
import { shownNumber } from "./legend";

/** Categories that are listed at a time. */
const MOST = 60;
const MANY = 12;

function CategoryFilter({ filter, values }: { filter: Filter; values: Extract<Values, { kind: "category" }> }): JSX.Element {
  const [part, setPart] = useState("");
  const counts = useMemo(() => countsOf(values), [values]);
  const found = useMemo(() => {
    const wanted = part.toLowerCase();
    return [...values.categories.keys()].filter((code) => values.categories[code].toLowerCase().includes(wanted));
  }, [values, part]);
  return (
    <>
      {values.categories.length > MANY && (
        <label>Find <input type="search" value={part} onInput={(event) => setPart(event.currentTarget.value)} /></label>
      )}
      <ul class="choices">
        {found.slice(0, MOST).map((code) => (
          <li key={code}>
            <label>
              <input type="checkbox" checked={filter.codes.includes(code)} onChange={() => toggleCategory(filter.key, code)} />
              <span class="name">{values.categories[code]}</span>
              <span class="number">{counts[code].toLocaleString("en")}</span>
            </label>
          </li>
        ))}
      </ul>
      {found.length > MOST && <p class="quiet">{(found.length - MOST).toLocaleString("en")} more: type a part of the name.</p>}
    </>
  );
}

function NumberFilter({ filter, values }: { filter: Filter; values: Extract<Values, { kind: "number" }> }): JSX.Element {
  const read = (text: string): number | null => (text.trim() === "" || Number.isNaN(Number(text)) ? null : Number(text));
  return (
    <>
      <label>From <input type="number" step="any" value={filter.low ?? ""} placeholder={shownNumber(values.low)}
        onInput={(event) => changeFilter(filter.key, { low: read(event.currentTarget.value) })} /></label>
      <label>To <input type="number" step="any" value={filter.high ?? ""} placeholder={shownNumber(values.high)}
        onInput={(event) => changeFilter(filter.key, { high: read(event.currentTarget.value) })} /></label>
    </>
  );
}

function TextFilter({ filter }: { filter: Filter }): JSX.Element {
  return (
    <label>Contains <input type="search" value={filter.text} onChange={(event) => changeFilter(filter.key, { text: event.currentTarget.value })} /></label>
  );
}

function OneFilter({ filter, field }: { filter: Filter; field: Field }): JSX.Element {
  const { value: values, problem } = useLoaded(field.load, [field.key]);
  return (
    <fieldset class="filter">
      <legend>{field.title}</legend>
      {problem && <p>{problem}</p>}
      {values?.kind === "category" && <CategoryFilter filter={filter} values={values} />}
      {values?.kind === "number" && <NumberFilter filter={filter} values={values} />}
      {values?.kind === "text" && <TextFilter filter={filter} />}
      <button type="button" onClick={() => removeFilter(filter.key)}>Remove<span class="hidden"> the filter {field.title}</span></button>
    </fieldset>
  );
}

export function FilterList({ fields }: { fields: Field[] }): JSX.Element {
  const byKey = new Map(fields.map((field) => [field.key, field]));
  const free = fields.filter((field) => !filters.value.some((filter) => filter.key === field.key));
  return (
    <section class="filters" aria-label="Filters">
      <h3>Filters</h3>
      {filters.value.map((filter) => byKey.has(filter.key) && <OneFilter key={filter.key} filter={filter} field={byKey.get(filter.key)!} />)}
      <label>
        Filter by{" "}
        <select value="" onChange={(event) => { addFilter(event.currentTarget.value); event.currentTarget.value = ""; }}>
          <option value="">choose…</option>
          {free.map((field) => <option key={field.key} value={field.key}>{field.title}</option>)}
        </select>
      </label>
    </section>
  );
}
