// The columns of one sample.

import type { JSX } from "preact";
import { textOf } from "../../columns";
import type { Column, Page } from "../../data";
import { isBlind } from "../../state";
import { useLoaded } from "../loaded";

/** Columns that say what a head predicted. */
export function isPrediction({ role }: Column): boolean {
  return role === "predicted" || role === "confidence";
}

/** Coordinates of the map mean nothing by themselves. */
function isPlace({ role }: Column): boolean {
  return role === "x" || role === "y";
}

export function Values({ page, row }: { page: Page; row: number }): JSX.Element {
  const columns = page.columns.filter((column) => !isPlace(column) && !(isBlind.value && isPrediction(column)));
  const values = useLoaded(
    () => Promise.all(columns.map((column) => textOf(page, column, row))),
    [page, row, isBlind.value],
  ).value;
  return (
    <section>
      <h3>Values</h3>
      <table>
        <tbody>
          {columns.map((column, place) => (
            <tr key={column.name}>
              <th scope="row">{column.title}</th>
              <td>{values?.[place] ?? ""}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
