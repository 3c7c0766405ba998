"""A real browser for tests of the page. Tests that ask for it are skipped where there is none."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cellfeat.page.content import PageContent
from cellfeat.page.files.forms import write_file, write_folder
from tests.page.browser.opening import BROWSERS, FLAGS, READY, Trouble, address_of, browser_program
from tests.page.generated_content import generated_content

GeneratedPage = Callable[..., Path]
OpenPage = Callable[..., Any]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A browser of this machine, one for all tests of a process."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: it is in the extra dev"
    )
    program = browser_program()
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def generated_page(tmp_path_factory: pytest.TempPathFactory) -> GeneratedPage:
    """A function that writes a page of generated samples, once for all tests of a process, and gives its place.

    ``generated_page(1200, form="folder", hostile=True, with_pictures=False)``: the number of samples, the form
    (``"file"`` or ``"folder"``), and what `generated_content` takes.
    """
    written: dict[tuple[Any, ...], Path] = {}

    def give(n_samples: int, *, form: str = "file", **content: bool) -> Path:
        key = (n_samples, form, *sorted(content.items()))
        if key not in written:
            folder = tmp_path_factory.mktemp("page")
            written[key] = write_page(generated_content(n_samples, **content), folder, form)
        return written[key]

    return give


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[OpenPage]:
    """A function that opens a page in the browser and gives it, a `Page` of playwright, once it is shown.

    ``open_page(content, width=1280, height=900, dark=False, form="file")``: the content of a page, which is written in
    that form first, or the path or address of a page. The test fails at its end where the console had an error, a
    script failed, or a request left the machine.
    """
    trouble, contexts = Trouble(), []

    def give(
        place: PageContent | Path | str,
        *,
        width: int = 1280,
        height: int = 900,
        dark: bool = False,
        form: str = "file",
    ) -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        trouble.watch(page)
        if isinstance(place, PageContent):
            place = write_page(place, tmp_path / f"page-{len(contexts)}", form)
        page.goto(address_of(place))
        page.wait_for_selector(READY)
        return page

    yield give
    for context in contexts:
        context.close()
    assert not trouble.seen, "\n".join(trouble.seen)


def write_page(content: PageContent, folder: Path, form: str) -> Path:
    """Write a page in one of its forms, and give its place.

    Parameters
    ----------
    content
        The page.
    folder
        Where to; made where it is missing.
    form
        ``"file"`` or ``"folder"``.
    """
    if form == "folder":
        write_folder(content, folder)
        return folder
    path = folder / "page.html"
    write_file(content, path)
    return path
