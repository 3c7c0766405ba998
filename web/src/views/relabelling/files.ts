// Judgements as tables: written for cellfeat, and read again to go on.

import { columnOf } from "../../columns";
import { download, readCsv, writeCsv } from "../../csv";
import type { Page } from "../../data";
import { loadJson } from "../../loader";
import type { Facts } from "../../parts/facts";
import { judge, judgementOf, judgements, pairVerdicts, type Judgement } from "../../relabel";

const COLUMNS = ["sample_id", "label", "label_before", "head", "predicted", "confidence", "seen", "changed_at"] as const;
const PAIR_COLUMNS = ["sample_id", "partner", "finding", "verdict", "judged_at"] as const;
const MOST_TOLD = 5;

export function exportLabels(): void {
  const rows = judgements.value.map((one) => [
    one.id,
    one.label,
    one.before,
    one.head,
    one.predicted,
    one.confidence === null ? "" : String(Number(one.confidence.toPrecision(6))),
    one.seen,
    one.at,
  ]);
  download("changes.csv", writeCsv(COLUMNS, rows));
}

export function exportPairs(): void {
  const rows = pairVerdicts.value.map(({ ids, finding, verdict, at }) => [ids[1], ids[0], finding, verdict, at]);
  download("pairs.csv", writeCsv(PAIR_COLUMNS, rows));
}

/** What came of reading a file again. */
export interface Import {
  nTaken: number;
  /** Rows that were left out, with why. */
  problems: string[];
}

type Row = Record<(typeof COLUMNS)[number], string>;

/** Read an earlier export; of a sample that was judged here, too, the later judgement stays. */
export async function importLabels(page: Page, facts: Facts, file: File): Promise<Import> {
  const { columns, rows } = readCsv(await file.text());
  const missing = COLUMNS.filter((name) => !columns.includes(name));
  if (missing.length) {
    const wanted = COLUMNS.join(", ");
    return { nTaken: 0, problems: [`${file.name}: expected the columns ${wanted}; it lacks ${missing.join(", ")}: choose a file that this page exported`] };
  }
  const records = rows.map(({ line, cells }) => ({ line, row: asRow(columns, cells) }));
  const places = await rowsOf(page, new Set(records.map(({ row }) => row.sample_id)));
  const taken: Judgement[] = [];
  const problems: string[] = [];
  for (const { line, row } of records) {
    const place = places.get(row.sample_id);
    const problem = place === undefined ? `no sample of this page is called ${row.sample_id}` : whyNot(row, facts.label(place));
    if (problem) problems.push(`${file.name}, line ${line}: ${problem}`);
    else if (isLater(row, place!)) taken.push(asJudgement(row, place!));
  }
  if (taken.length) judge(...taken);
  return { nTaken: taken.length, problems: shortened(problems) };
}

function asRow(columns: string[], cells: string[]): Row {
  return Object.fromEntries(COLUMNS.map((name) => [name, cells[columns.indexOf(name)] ?? ""])) as Row;
}

function whyNot(row: Row, label: string): string {
  if (row.seen !== "prediction" && row.seen !== "blind") return `seen is ${row.seen || "empty"}; expected prediction or blind`;
  if (row.label_before !== label) return `the label was ${row.label_before || "empty"}, and is ${label || "empty"} on this page`;
  return "";
}

function isLater(row: Row, place: number): boolean {
  const known = judgementOf(place);
  return known === undefined || row.changed_at > known.at;
}

function asJudgement(row: Row, place: number): Judgement {
  const confidence = row.confidence === "" ? NaN : Number(row.confidence);
  return {
    row: place,
    id: row.sample_id,
    before: row.label_before,
    label: row.label,
    head: row.head,
    predicted: row.predicted,
    confidence: Number.isNaN(confidence) ? null : confidence,
    seen: row.seen === "blind" ? "blind" : "prediction",
    at: row.changed_at,
  };
}

function shortened(problems: string[]): string[] {
  if (problems.length <= MOST_TOLD) return problems;
  return [...problems.slice(0, MOST_TOLD), `and ${problems.length - MOST_TOLD} more`];
}

/** Rows of samples by their identifiers: blocks of them are read until all are found. */
async function rowsOf(page: Page, wanted: Set<string>): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  const column = columnOf(page, "id");
  for (let start = 0; column && start < page.nSamples && found.size < wanted.size; start += page.textBlock) {
    const ids = await loadJson<string[]>(`${column.shard}-${start / page.textBlock}`);
    ids.forEach((id, place) => wanted.has(id) && found.set(id, start + place));
  }
  return found;
}
