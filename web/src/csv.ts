// Tables as text: written for cellfeat, which reads names exactly as they are, and read again.

export function writeCsv(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  return [columns, ...rows].map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n";
}

function quoted(cell: string): string {
  return /[",\r\n]|^\s|\s$/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

/** The rows of a table, each with its line; a spreadsheet may have changed the commas to semicolons or tabs. */
export function readCsv(text: string): { columns: string[]; rows: { line: number; cells: string[] }[] } {
  const content = text.replace(/^\uFEFF/, "");
  const [first] = content.split(/\r?\n/, 1);
  const separator = [",", ";", "\t"].reduce((best, one) => (first.split(one).length > first.split(best).length ? one : best));
  const records = recordsOf(content, separator).filter(({ cells }) => cells.some((cell) => cell !== ""));
  return { columns: records[0]?.cells.map((cell) => cell.trim()) ?? [], rows: records.slice(1) };
}

function recordsOf(text: string, separator: string): { line: number; cells: string[] }[] {
  const records: { line: number; cells: string[] }[] = [];
  let cells: string[] = [];
  let line = 1;
  let started = 1;
  // A cell: in quotes, where two quotes are one, or without; then what ends it.
  const cell = new RegExp(`(?:"((?:[^"]|"")*)"|([^${separator}\\r\\n]*))(${separator}|\\r?\\n|\\r|$)`, "gy");
  for (let found = cell.exec(text); found; found = cell.exec(text)) {
    const [all, inQuotes, plain, end] = found;
    cells.push(inQuotes === undefined ? plain : inQuotes.replaceAll('""', '"'));
    line += all.split("\n").length - 1;
    if (end !== separator) {
      records.push({ line: started, cells });
      cells = [];
      started = line;
    }
    if (end === "") break;
  }
  return records;
}

/** Offer a text as a file. */
export function download(name: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  // The browser reads it after the click has ended.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
