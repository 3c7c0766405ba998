// The map: each sample a point, near those with similar embeddings.

import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { columnOf } from "../columns";
import type { Page } from "../data";
import { useLoaded } from "../parts/loaded";
import { choose, isBlind } from "../state";
import { colouringOf, N_COLOURS, themeOf } from "./map/colours";
import { useDark } from "./map/dark";
import { fieldsOf, type Field, type Values } from "./map/fields";
import { FilterList } from "./map/filter_list";
import { colouredBy, filters, isActive, maskOf, rowsOf } from "./map/filters";
import { Legend } from "./map/legend";
import { placesOf, type Places } from "./map/places";
import { Plot } from "./map/plot";
import { hasWebGl } from "./map/scatter";

/** The samples that the filters leave; null where no filter is active. */
function useMask(page: Page, fields: Field[]): Uint8Array | null {
  const active = filters.value.filter((filter) => isActive(filter) && fields.some(({ key }) => key === filter.key));
  const load = async (): Promise<Uint8Array | null> => {
    const values = await Promise.all(active.map((filter) => fields.find(({ key }) => key === filter.key)!.load()));
    return maskOf(page.nSamples, active.map((filter, place) => ({ filter, values: values[place] })));
  };
  return useLoaded(load, [page, JSON.stringify(active)]).value;
}

/** "Filtered by label, area" */
function titleOf(fields: Field[]): string {
  const active = filters.value.filter(isActive).map((filter) => fields.find(({ key }) => key === filter.key)?.title);
  return `Filtered by ${active.filter(Boolean).join(", ")}`;
}

function Counts({ page, mask, places, fields }: { page: Page; mask: Uint8Array | null; places: Places; fields: Field[] }): JSX.Element {
  const n = useMemo(() => (mask ? mask.reduce((total, one) => total + one, 0) : page.nSamples), [mask, page]);
  const { nWithout } = places;
  const title = mask ? titleOf(fields) : "All samples";
  return (
    <p role="status" class="counts">
      {n.toLocaleString("en")} of {page.nSamples.toLocaleString("en")} samples.{" "}
      {nWithout > 0 && `${nWithout.toLocaleString("en")} have no place on the map. `}
      {n > 0 && <button type="button" onClick={() => choose(title, rowsOf(page.nSamples, mask))}>Show these in the gallery</button>}
      {mask && <button type="button" onClick={() => (filters.value = [])}>Remove all filters</button>}
    </p>
  );
}

function Explained({ page, places }: { page: Page; places: Places }): JSX.Element {
  return (
    <>
      <p class="quiet">
        {page.map?.method} of the embeddings. {page.map?.note || "Distances between clusters mean nothing."}
        {places.isHeldOut && " Large points are held-out or new samples."}
      </p>
      {page.heldOut.map((sentence) => <p key={sentence}>{sentence}</p>)}
    </>
  );
}

function ColourChoice({ fields, field }: { fields: Field[]; field: Field | undefined }): JSX.Element {
  return (
    <label>
      Colour by{" "}
      <select value={field?.key ?? ""} onChange={(event) => (colouredBy.value = event.currentTarget.value)}>
        {fields.map(({ key, title }) => <option key={key} value={key}>{title}</option>)}
      </select>
    </label>
  );
}

/** What is coloured at first: the label, or else the first column with few categories. */
function chosenField(page: Page, fields: Field[]): Field | undefined {
  const find = (key: string): Field | undefined => fields.find((field) => field.key === key);
  const first = columnOf(page, "label") ?? page.columns.find(({ categories }) => categories && categories.length <= N_COLOURS);
  return find(colouredBy.value) ?? find(`column ${first?.name}`) ?? fields[0];
}

function PlacedMap({ page, places }: { page: Page; places: Places }): JSX.Element {
  const isDark = useDark();
  const fields = useMemo(() => fieldsOf(page, isBlind.value), [page, isBlind.value]);
  const colourable = useMemo(() => fields.filter(({ kind }) => kind !== "text"), [fields]);
  const field = chosenField(page, colourable);
  const coloured = useLoaded(async () => (field ? { field, values: await field.load() } : null), [field?.key]).value;
  const values: Values | null = coloured?.field.key === field?.key ? (coloured?.values ?? null) : null;
  const mask = useMask(page, fields);
  const looks = useMemo(() => {
    const theme = themeOf(isDark);
    return { colouring: colouringOf(values, page.classes, theme), mask, theme };
  }, [values, mask, isDark, page]);
  const isReady = values !== null || field === undefined;
  return (
    <div class="map">
      <div class="map-main">
        <Explained page={page} places={places} />
        {!hasWebGl() ? <p>This browser cannot draw the map: it has no WebGL. Filters and the gallery work without it.</p>
          : places.points.length === 0 ? <p>No sample has a place on the map.</p>
          : isReady && <Plot page={page} places={places} looks={looks} />}
        <Counts {...{ page, mask, places, fields }} />
      </div>
      <div class="map-side">
        <ColourChoice fields={colourable} field={field} />
        {field && values && <Legend {...{ page, field, values, isDark }} />}
        <FilterList fields={fields} />
      </div>
    </div>
  );
}

export function MapView({ page }: { page: Page }): JSX.Element {
  const { value: places, problem } = useLoaded(() => placesOf(page), [page]);
  if (problem) return <p>The map cannot be shown: {problem}</p>;
  return places ? <PlacedMap page={page} places={places} /> : <p role="status">Loading the map…</p>;
}
