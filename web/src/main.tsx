import { render } from "preact";
import { App } from "./app";
import type { Page } from "./data";
import { loadJson } from "./loader";
import { restore } from "./relabel";
import { begin } from "./state";
import "./page.css";

async function main(): Promise<void> {
  const root = document.getElementById("page")!;
  try {
    const page = await loadJson<Page>("page");
    document.title = page.title;
    begin(page);
    restore(page);
    render(<App page={page} />, root);
  } catch (error) {
    root.textContent = `This page cannot be shown: ${error instanceof Error ? error.message : error}`;
  }
}

void main();
