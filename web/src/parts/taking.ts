// Identifiers of samples taken out of the page.

import type { Page } from "../data";
import { columnOf } from "../columns";
import { download, writeCsv } from "../csv";
import { idsOf } from "./facts";

/** Names stay as they are, so that cellfeat finds the samples again. */
export async function downloadIds(page: Page, rows: ArrayLike<number>): Promise<void> {
  const ids = await idsOf(page, rows);
  download("samples.csv", writeCsv([columnOf(page, "id")?.name ?? "sample_id"], ids.map((id) => [id])));
}

/** Copy identifiers, one a line. */
export async function copyIds(page: Page, rows: ArrayLike<number>): Promise<void> {
  const text = (await idsOf(page, rows)).join("\n");
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    copyByHand(text);
  }
}

/** Some browsers give no clipboard to files. */
function copyByHand(text: string): void {
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  if (!isCopied) throw new Error("this browser does not let a page copy");
}
