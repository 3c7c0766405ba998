// The report: what was compared and how well it went. It prints.

import type { JSX } from "preact";
import type { Page } from "../data";
import { head as shownHead } from "../state";
import { counted } from "../words";
import { Calibration } from "./report/calibration";
import { Classes } from "./report/classes";
import { Comparison, FeatureFiles } from "./report/comparison";
import { Learning } from "./report/learning";
import { LeakPrice } from "./report/leak";
import { ChangedLabels } from "./report/relabelling";
import { Questions } from "./report/questions";
import { Facts, Section, Sentences } from "./report/section";

function dayOf(created: string): string {
  const date = new Date(created);
  return Number.isNaN(date.getTime()) ? created : date.toISOString().slice(0, 16).replace("T", " ") + " UTC";
}

function Opening({ page }: { page: Page }): JSX.Element {
  return (
    <div class="opening">
      <p class="headline">{page.overview.headline || counted(page.nSamples, "sample")}</p>
      <button type="button" class="screen-only" onClick={() => window.print()}>Print or save as PDF</button>
    </div>
  );
}

function Basis({ page: { overview } }: { page: Page }): JSX.Element {
  return (
    <div class="basis">
      {overview.data.length > 0 && <Section title="Data"><Facts facts={overview.data} /></Section>}
      {overview.recipe.length > 0 && <Section title="Recipe"><Facts facts={overview.recipe} /></Section>}
    </div>
  );
}

export function OverviewView({ page }: { page: Page }): JSX.Element {
  const { overview } = page;
  const head = page.heads.find(({ name }) => name === shownHead.value);
  return (
    <article class="report">
      <Opening page={page} />
      {page.nSamples === 0 && <p>There are no samples, so there is nothing to score or to look at.</p>}
      <Comparison page={page} />
      <FeatureFiles against={overview.against} />
      {page.heldOut.length > 0 && <Section title="Held-out samples"><Sentences texts={page.heldOut} /></Section>}
      <Basis page={page} />
      {head && <Classes head={head} />}
      <ChangedLabels relabelling={overview.relabelling} />
      <LeakPrice leak={overview.leak} />
      <Learning curves={overview.curves} />
      {head && <Calibration head={head} />}
      {overview.limits.length > 0 && <Section title="Limits"><Sentences texts={overview.limits} /></Section>}
      <Questions page={page} />
      <footer class="quiet">
        Written by cellfeat {page.cellfeat}, {dayOf(page.created)}. Samples: <code>{page.digest}</code>
      </footer>
    </article>
  );
}
