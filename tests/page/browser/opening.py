"""Opens pages in a browser, and records what must not happen there."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[3]
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# WebGL by the processor: no graphics card is needed, and pictures are the same everywhere.
FLAGS = ("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
HARMFUL = {"serious", "critical"}
READY = "#page .top"
"""What stands in a page once it is shown."""


@dataclass
class Trouble:
    """Console errors, errors of scripts, and requests that leave the machine."""

    seen: list[str] = field(default_factory=list)

    def watch(self, page: Any) -> None:
        page.on("console", self._see_message)
        page.on("pageerror", lambda error: self.seen.append(f"error: {error}"))
        page.on("request", self._see_request)

    def _see_message(self, message: Any) -> None:
        if message.type == "error":
            self.seen.append(f"console: {message.text}")

    def _see_request(self, request: Any) -> None:
        if not stays_here(request.url):
            self.seen.append(f"request: {request.url}")


def expect(what: Any) -> Any:
    """Assert something of a page or a locator, and wait until it holds: a page is drawn after an event, not in it."""
    from playwright.sync_api import expect as expect_of

    expect_of.set_options(timeout=15_000)
    return expect_of(what)


def wait_until(page: Any, holds: Callable[[], bool]) -> None:
    """Ask again and again until something holds; the test fails after a while."""
    for _ in range(300):
        if holds():
            return
        page.wait_for_timeout(50)
    assert holds()


def browser_program() -> str | None:
    """Find a browser of this machine; None without."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def stays_here(url: str) -> bool:
    """Whether a request for an address stays on this machine."""
    parts = urlsplit(url)
    return parts.scheme in {"file", "data", "blob", "about"} or parts.hostname in LOOPBACK


def address_of(place: Path | str) -> str:
    """Give the address of a page: an HTML file, a folder with ``index.html``, or an address already."""
    if isinstance(place, str):
        return place
    return (place / "index.html" if place.is_dir() else place).resolve().as_uri()


def go_to_view(page: Any, title: str) -> None:
    """Open a view of the page by the button with its title."""
    page.get_by_role("navigation", name="Views").get_by_role("button", name=title, exact=True).click()


def assert_accessible(page: Any, where: str = "page") -> None:
    """Fail where axe-core has a serious or critical finding, and say which elements it means.

    Parameters
    ----------
    page
        The page of the browser.
    where
        What is shown, for the message.
    """
    page.evaluate(_axe())
    # Without preload: it reads style sheets again, which a page on a disk may not.
    found = page.evaluate(
        "axe.run(document, {resultTypes: ['violations'], preload: false}).then(({violations}) => violations)"
    )
    texts = [_sentence(one) for one in found if one["impact"] in HARMFUL]
    assert not texts, f"{where}:\n" + "\n".join(texts)


def _sentence(violation: Mapping[str, Any]) -> str:
    elements = "; ".join(f"{node['html'][:160]} ({node['failureSummary'][:200]})" for node in violation["nodes"][:4])
    return f"{violation['impact']}: {violation['id']}: {violation['help']}: {elements}"


@cache
def _axe() -> str:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: run `npm ci` in web/, or `make page`")
    return AXE.read_text(encoding="utf-8")
