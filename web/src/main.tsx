import { render } from "preact";
import { followAddress } from "./address";
import { App } from "./app";
import type { Page } from "./data";
import { followGallery } from "./frame/gallery_place";
import { listenToKeys } from "./frame/keys";
import { loadJson } from "./loader";
import { restore } from "./relabel";
import { begin, problem } from "./state";
import { sentenceOf } from "./words";
import "./page.css";

async function main(): Promise<void> {
  const root = document.getElementById("page")!;
  root.textContent = "Loading …";
  // A shard that is missing shows as a sentence, whichever part asked for it.
  window.addEventListener("unhandledrejection", (event) => {
    problem.value = sentenceOf(event.reason);
  });
  try {
    const page = await loadJson<Page>("page");
    document.title = page.title;
    begin(page);
    restore(page);
    followAddress(page);
    root.textContent = "";
    render(<App page={page} />, root);
    followGallery();
    listenToKeys(page);
  } catch (error) {
    root.textContent = `This page cannot be shown: ${sentenceOf(error)}`;
  }
}

void main();
