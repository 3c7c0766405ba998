// Moving between the cells of a table by keys: one of them is in the order of tabs, and holds the focus.

function buttonAt(table: HTMLTableElement, row: number, column: number): HTMLButtonElement | null {
  return table.rows[row]?.cells[column]?.querySelector("button") ?? null;
}

/** The next button from a cell in the direction of a key; headers without a button are passed over. */
function next(table: HTMLTableElement, from: HTMLTableCellElement, key: string): HTMLButtonElement | null {
  const row = (from.parentElement as HTMLTableRowElement).rowIndex;
  const buttons = [...table.rows[row].cells].flatMap((cell) => cell.querySelector("button") ?? []);
  if (key === "Home") return buttons[0];
  if (key === "End") return buttons[buttons.length - 1];
  const [down, right] = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] }[key] ?? [0, 0];
  if (!down && !right) return null;
  return buttonAt(table, row + down, from.cellIndex + right);
}

export function moveTo(table: HTMLTableElement, button: HTMLButtonElement): void {
  for (const before of table.querySelectorAll<HTMLButtonElement>('button[tabindex="0"]')) before.tabIndex = -1;
  button.tabIndex = 0;
}

export function moveByKey(event: KeyboardEvent, table: HTMLTableElement): void {
  const from = (event.target as Element).closest<HTMLTableCellElement>("td, th");
  const button = from && next(table, from, event.key);
  if (!button) return;
  event.preventDefault();
  button.focus();
  button.scrollIntoView({ block: "nearest", inline: "nearest" });
}
