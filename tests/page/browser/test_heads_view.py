"""Two heads side by side: counts by outcome, and the samples behind them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.page.browser.opening import expect, go_to_view, wait_until

pytestmark = pytest.mark.slow
Opener = Callable[..., Any]
Maker = Callable[..., Path]


def counts_of_all(page: Any) -> list[int]:
    page.wait_for_selector(".outcomes")
    cells = page.locator(".outcomes tbody tr").first.locator("td")
    return [int(text.split()[0].replace(",", "")) for text in cells.all_inner_texts()]


def test_outcomes_count_every_sample_once(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(1200))
    go_to_view(page, "Head against head")
    counts = counts_of_all(page)
    assert sum(counts) == 1200
    page.get_by_role("combobox", name="A", exact=True).select_option("logreg")
    page.get_by_role("combobox", name="B", exact=True).select_option("mlp")
    wait_until(page, lambda: counts_of_all(page) == [counts[1], counts[0], *counts[2:]])


def test_outcome_opens_its_samples(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(1200))
    go_to_view(page, "Head against head")
    page.wait_for_selector(".outcomes")
    button = page.get_by_role("button", name="HeLa, A right, B wrong")
    n = int(button.inner_text())
    button.click()
    page.wait_for_selector(".gallery .item")
    expect(page.locator(".gallery .item")).to_have_count(n)
    expect(page.locator(".gallery h2")).to_have_text("HeLa: mlp right, logreg wrong")
    assert {text.split()[0] for text in page.locator(".gallery .item .caption").all_inner_texts()} == {"HeLa"}


def test_same_head_twice_is_refused(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(130))
    go_to_view(page, "Head against head")
    page.get_by_role("combobox", name="B", exact=True).select_option("mlp")
    expect(page.locator("#view")).to_contain_text("Choose two different heads")
