"""Every view at every size: it draws, fits its window, is accessible, and shows names as text."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.page.browser.opening import assert_accessible, expect, go_to_view

pytestmark = pytest.mark.slow
Opener = Callable[..., Any]
Maker = Callable[..., Path]
WINDOWS = [(1280, False), (1280, True), (390, False), (390, True)]
TITLE = "</script><script>document.title='broken'</script>"


def views(page: Any) -> list[str]:
    return page.get_by_role("navigation", name="Views").get_by_role("button").all_inner_texts()


def settle(page: Any) -> None:
    """Wait until a view has loaded its data and drawn: nothing has changed for a while."""
    page.evaluate(
        """() => new Promise((resolve) => {
            let timer = setTimeout(resolve, 300);
            const watch = () => { clearTimeout(timer); timer = setTimeout(resolve, 300); };
            new MutationObserver(watch).observe(document.body, { subtree: true, childList: true, attributes: true });
        })"""
    )


def assert_fits(page: Any, view: str) -> None:
    width = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert width[0] <= width[1], f"{view} is {width[0]} pixels wide in a window of {width[1]}"


@pytest.mark.parametrize(("width", "dark"), WINDOWS)
def test_views_are_accessible(width: int, dark: bool, open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(1200), width=width, dark=dark)
    for view in views(page):
        go_to_view(page, view)
        settle(page)
        assert_accessible(page, view)
        assert_fits(page, view)


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_sample_and_gallery_are_accessible(width: int, dark: bool, open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(1200), width=width, dark=dark)
    go_to_view(page, "Copies and labels")
    page.get_by_role("button", name="Suspicious labels 20").click()
    page.get_by_role("button", name="Open as gallery").click()
    settle(page)
    assert_accessible(page, "gallery")
    assert_fits(page, "gallery")
    page.locator(".gallery [data-row]").first.click()
    settle(page)
    assert_accessible(page, "sample")
    assert_fits(page, "sample")


@pytest.mark.parametrize("width", [1280, 390])
def test_hostile_names_are_text(width: int, open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(1200, hostile=True), width=width)
    for view in views(page):
        go_to_view(page, view)
        settle(page)
        assert page.title().startswith(TITLE), view
        expect(page.locator("#page img[src=x], #page script")).to_have_count(0)
        expect(page.locator("#page b", has_text="&cell")).to_have_count(0)
        assert_fits(page, view)


@pytest.mark.parametrize("n_samples", [0, 1, 2])
@pytest.mark.parametrize("form", ["file", "folder"])
def test_few_samples(n_samples: int, form: str, open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(n_samples, form=form))
    for view in views(page):
        go_to_view(page, view)
        settle(page)
        expect(page.locator("#view")).not_to_be_empty()
        assert_accessible(page, view)


def test_page_without_pictures(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(1200, with_pictures=False))
    for view in views(page):
        go_to_view(page, view)
        settle(page)
        assert_accessible(page, view)


def test_many_samples(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(28_896, form="folder", with_pictures=False))
    for view in views(page):
        go_to_view(page, view)
        settle(page)
        expect(page.locator("#view")).not_to_be_empty()
