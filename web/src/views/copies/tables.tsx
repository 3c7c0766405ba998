// Files that could not be read, and everything else that an audit found.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Audit } from "../../data";
import { Pages } from "../../parts/pages";
import { sample } from "../../state";

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

export function Findings({ findings }: { findings: Audit["findings"] }): JSX.Element {
  const [start, setStart] = useState(0);
  return (
    <>
      <div class="scrolled" role="region" aria-label="Other findings" tabIndex={0}>
        <table>
          <thead>
            <tr><th scope="col">finding</th><th scope="col">sample</th><th scope="col">other sample</th><th scope="col">detail</th></tr>
          </thead>
          <tbody>
            {findings.slice(start, start + A_PAGE).map(({ finding, sample: id, row, partner, detail }, place) => (
              <tr key={start + place}>
                <td>{finding}</td>
                <td>{row === null ? id : <button type="button" onClick={() => (sample.value = row)}>{id}</button>}</td>
                <td>{partner}</td>
                <td>{detail}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <Pages name="Pages of findings" start={start} size={A_PAGE} total={findings.length} onGo={setStart} />
    </>
  );
}
