// Files that could not be read, and everything else that an audit found.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Audit } from "../../data";
import { Pages } from "../../parts/pages";
import { choose, sample } from "../../state";
import { Kinds } from "./kinds";

const A_PAGE = 100;

export function Quarantined({ files }: { files: Audit["quarantined"] }): JSX.Element {
  const [start, setStart] = useState(0);
  return (
    <>
      <p>These files could not be read. Their samples have no features and take part in nothing.</p>
      <div class="scrolled" role="region" aria-label="Unreadable files" tabIndex={0}>
        <table>
          <thead><tr><th scope="col">sample</th><th scope="col">reason</th></tr></thead>
          <tbody>
            {files.slice(start, start + A_PAGE).map(({ id, reason }) => (
              <tr key={id}><th scope="row">{id}</th><td>{reason}</td></tr>
            ))}
          </tbody>
        </table>
      </div>
      <Pages name="Pages of unreadable files" start={start} size={A_PAGE} total={files.length} onGo={setStart} />
    </>
  );
}

function FindingRow({ one, hasPartner }: { one: Audit["findings"][number]; hasPartner: boolean }): JSX.Element {
  const { finding, sample: id, row, partner, detail } = one;
  return (
    <tr>
      <td>{finding}</td>
      <td>{row === null ? id : <button type="button" onClick={() => (sample.value = row)}>{id}</button>}</td>
      {hasPartner && <td>{partner}</td>}
      <td>{detail}</td>
    </tr>
  );
}

export function Findings({ findings }: { findings: Audit["findings"] }): JSX.Element {
  const [kind, setKind] = useState<string | null>(null);
  const [start, setStart] = useState(0);
  const shown = kind === null ? findings : findings.filter(({ finding }) => finding === kind);
  const rows = [...new Set(shown.flatMap(({ row }) => (row === null ? [] : [row])))];
  const hasPartner = shown.some(({ partner }) => partner !== "");
  const show = (name: string | null): void => {
    setKind(name);
    setStart(0);
  };
  return (
    <>
      <Kinds label="Kinds of findings" found={findings} shown={kind} onShow={show} />
      {rows.length > 0 && <button type="button" onClick={() => choose(kind ?? "Other findings", rows)}>Open as gallery</button>}
      <div class="scrolled" role="region" aria-label="Other findings" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">finding</th><th scope="col">sample</th>
              {hasPartner && <th scope="col">other sample</th>}<th scope="col">detail</th>
            </tr>
          </thead>
          <tbody>
            {shown.slice(start, start + A_PAGE).map((one, place) => <FindingRow key={start + place} one={one} hasPartner={hasPartner} />)}
          </tbody>
        </table>
      </div>
      <Pages name="Pages of findings" start={start} size={A_PAGE} total={shown.length} onGo={setStart} />
    </>
  );
}
