"""Picture the page of a finished demo: ``python docs/page_pictures.py demo``, as `make docs-pictures` does.

Needs playwright (extra ``dev``) and chromium. The pictures are for the README and the guide: light, small, few colours.
"""

import sys
from io import BytesIO
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))
from docs.pictures import save_few_colours
from tests.page.browser.opening import FLAGS, READY, browser_program, go_to_view

IMAGES = Path(__file__).parent / "images"
SIZE = {"width": 1280, "height": 800}
MAX_BYTES = 200_000
MAP_DRAWN = "performance.getEntriesByName('cellfeat-map-drawn').length > 0"


def main(demo: Path) -> None:
    """Picture the views of the demo in the folder `demo`."""
    program = browser_program()
    if program is None:
        raise SystemExit("no browser: install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        address = (demo / "results" / "page.html").resolve().as_uri()
        for name, show in VIEWS.items():
            page = browser.new_context(viewport=SIZE, color_scheme="light", reduced_motion="reduce").new_page()
            page.goto(address)
            page.wait_for_selector(READY)
            show(page)
            page.wait_for_timeout(1500)
            picture, path = BytesIO(page.screenshot()), IMAGES / f"page-{name}.png"
            save_few_colours(picture, path, n_colours=256, most_bytes=MAX_BYTES)
        browser.close()


def show_report(page: Page) -> None:
    """The report's first screen."""
    go_to_view(page, "Report")


def show_confusion(page: Page) -> None:
    """The largest confusion, with the samples behind it."""
    go_to_view(page, "Confusion")
    cells = page.locator(".matrix td.mistake button")
    sizes = cells.evaluate_all("cells => cells.map((cell) => parseInt(cell.textContent.split(': ').pop()))")
    cells.nth(sizes.index(max(sizes))).click()


def show_map(page: Page) -> None:
    """The map, coloured by label."""
    go_to_view(page, "Map")
    page.wait_for_function(MAP_DRAWN)


def show_sample(page: Page) -> None:
    """The first sample of the largest confusion."""
    show_confusion(page)
    page.locator(".gallery [data-row]").first.click()


def show_copies(page: Page) -> None:
    """The first two pairs, one laid over the other."""
    go_to_view(page, "Copies and labels")
    page.keyboard.press("o")


def show_blind(page: Page) -> None:
    """The first sample to judge blind."""
    go_to_view(page, "Relabel")
    page.get_by_role("button", name="Judge blind").click()


VIEWS: dict[str, Any] = {
    "report": show_report,
    "confusion": show_confusion,
    "map": show_map,
    "sample": show_sample,
    "copies": show_copies,
    "blind": show_blind,
}


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python docs/page_pictures.py FOLDER_OF_A_DEMO")
    main(Path(sys.argv[1]))
