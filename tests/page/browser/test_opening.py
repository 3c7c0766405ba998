"""Both forms of the page open in a real browser, and ask the network for nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.page.browser.opening import Trouble, assert_accessible, expect, go_to_view, stays_here

pytestmark = pytest.mark.slow
Opener = Callable[..., Any]
Maker = Callable[..., Path]


@pytest.mark.parametrize("form", ["file", "folder"])
def test_page_opens_in_both_forms(form: str, open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(130, form=form))
    assert page.title() == "generated cells"
    go_to_view(page, "Confusion")
    expect(page.get_by_role("button", name="Confusion", exact=True)).to_have_attribute("aria-current", "page")


def test_axe_runs_under_the_policy_of_the_page(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(130))
    assert_accessible(page)
    page.evaluate("document.body.append(document.createElement('button'))")
    with pytest.raises(AssertionError, match="button-name"):
        assert_accessible(page)


def test_trouble_is_recorded(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "bad.html"
    path.write_text("<script>console.error('told'); fetch('https://cellfeat.invalid/x'); thrown()</script>")
    page, trouble = browser.new_page(), Trouble()
    trouble.watch(page)
    page.goto(path.as_uri())
    page.wait_for_timeout(200)
    page.close()
    text = "\n".join(trouble.seen)
    assert "console: told" in text
    assert "request: https://cellfeat.invalid/x" in text
    assert "thrown is not defined" in text


@pytest.mark.parametrize(
    ("url", "stays"),
    [
        ("file:///tmp/x", True),
        ("http://127.0.0.1:8000/", True),
        ("http://[::1]:1/", True),
        ("https://example.org", False),
    ],
)
def test_address_of_this_machine(url: str, stays: bool) -> None:
    assert stays_here(url) is stays
