"""The map in a real browser: colours, filters, lasso, keyboard."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cellfeat.page.content import Columns, PageContent
from tests.page.browser.opening import assert_accessible, expect, go_to_view, wait_until
from tests.page.generated_content import generated_content

pytestmark = pytest.mark.slow
Opener = Callable[..., Any]
Maker = Callable[..., Path]

DRAWN = "performance.getEntriesByName('cellfeat-map-drawn').length > 0"


def open_map(page: Any) -> None:
    go_to_view(page, "Map")
    page.wait_for_function(DRAWN)


def counts(page: Any) -> Any:
    return page.locator(".map .counts")


def lasso_all(page: Any) -> None:
    """Draw a lasso around the whole map."""
    box = page.locator(".map-frame").bounding_box()
    corners = [(0.02, 0.02), (0.98, 0.02), (0.98, 0.98), (0.02, 0.98), (0.02, 0.05)]
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=8)
    page.mouse.up()


def picture_of_map(page: Any) -> np.ndarray:
    """What the screen shows where the map is, shape (height, width, 3)."""
    picture = Image.open(io.BytesIO(page.locator(".map-frame").screenshot())).convert("RGB")
    return np.asarray(picture, dtype=np.float64)


def colours_of_map(page: Any) -> int:
    """Count the different colours on the screen where the map is."""
    return len(np.unique(picture_of_map(page).reshape(-1, 3) // 32, axis=0))


@pytest.mark.parametrize("n_samples", [0, 1, 130])
def test_map_of_any_size(n_samples: int, open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(n_samples))
    go_to_view(page, "Map")
    expect(counts(page)).to_contain_text(f"{n_samples} of {n_samples} samples")
    if n_samples:
        page.wait_for_function(DRAWN)
    else:
        expect(page.get_by_text("No sample has a place")).to_have_count(1)


def test_map_is_drawn_in_colours(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(1200))
    open_map(page)
    wait_until(page, lambda: colours_of_map(page) > 10)


@pytest.mark.parametrize("how", ["shift", "button"])
def test_lasso_opens_the_gallery(how: str, open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(1200))
    open_map(page)
    if how == "shift":
        page.keyboard.down("Shift")
    else:
        page.get_by_role("button", name="Lasso").click()
    lasso_all(page)
    page.keyboard.up("Shift")
    page.get_by_role("heading", name="Chosen on the map").wait_for()
    expect(page.locator(".gallery").get_by_text("1,200 samples")).to_have_count(1)


def test_lasso_leaves_out_what_filters_took_away(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(1200))
    open_map(page)
    legend = page.get_by_role("list", name="Colours: label")
    entry = legend.get_by_role("button").filter(has_text="HeLa")
    n = entry.locator(".number").inner_text()
    entry.click()
    page.get_by_text(f"{n} of 1,200 samples").wait_for()
    page.wait_for_timeout(300)
    page.get_by_role("button", name="Lasso").click()
    lasso_all(page)
    page.locator(".gallery").get_by_text(f"{n} samples").wait_for()


def test_filters_combine(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(1200))
    open_map(page)
    content = generated_content(1200)
    columns = {
        column["name"]: content.shards[column["shard"]]()
        for column in content.page["columns"]
        if column["kind"] != "text"
    }
    label, area = np.frombuffer(columns["label"], "u1"), np.frombuffer(columns["area"], "<f4")
    page.get_by_label("Filter by").select_option(label="label")
    page.get_by_role("group", name="label").get_by_label("HeLa").check()
    page.get_by_label("Filter by").select_option(label="area")
    page.get_by_role("group", name="area").get_by_label("From").fill("100")
    n = np.sum((label == content.page["classes"].index("HeLa")) & (area >= 100))
    page.get_by_text(f"{n} of 1,200 samples").wait_for()
    page.get_by_label("Filter by").select_option(label="sample_id")
    field = page.get_by_role("group", name="sample_id").get_by_label("Contains")
    field.fill("nothing like it")
    field.press("Enter")
    page.get_by_text("0 of 1,200 samples").wait_for()
    page.get_by_role("button", name="Remove all filters").click()
    page.get_by_text("1,200 of 1,200 samples").wait_for()


def test_map_is_coloured_by_every_field(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(130))
    open_map(page)
    choice = page.get_by_label("Colour by")
    for title in choice.locator("option").all_inner_texts():
        choice.select_option(label=title)
        page.locator(f".legend[aria-label='Colours: {title}'], .scale").first.wait_for()
    assert {"correct or wrong: mlp", "group", "area"} <= set(choice.locator("option").all_inner_texts())
    choice.select_option(label="group")
    page.get_by_text("Colours repeat after").wait_for()


def test_point_is_opened_by_a_click_and_named_under_the_pointer(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(1))
    open_map(page)
    box = page.locator(".map-frame").bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle, steps=5)
    page.locator(".map-caption").get_by_text("cell_0000000").wait_for()
    page.mouse.click(*middle)
    page.locator("dialog").get_by_role("heading", name="cell_0000000").wait_for()


def test_map_by_keyboard(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(130))
    open_map(page)
    page.locator(".map-frame").focus()
    page.wait_for_timeout(300)
    before = picture_of_map(page)
    page.keyboard.press("+")
    page.keyboard.press("ArrowLeft")
    wait_until(page, lambda: bool(np.abs(picture_of_map(page) - before).mean() > 1))
    page.keyboard.press("0")
    wait_until(page, lambda: bool(np.abs(picture_of_map(page) - before).mean() < 0.1))


def test_view_can_be_left_and_entered_many_times(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(130))
    for _ in range(20):
        go_to_view(page, "Map")
        page.locator(".map-frame canvas").wait_for()
        go_to_view(page, "Report")
    open_map(page)


def test_samples_without_coordinates_are_counted(open_page: Opener) -> None:
    content = generated_content(130)
    column = next(column for column in content.page["columns"] if column["role"] == "x")
    x = np.frombuffer(content.shards[column["shard"]](), "<f4").copy()
    x[:7] = np.nan
    content.shards[column["shard"]] = x.tobytes
    page = open_page(content)
    open_map(page)
    expect(counts(page)).to_contain_text("7 have no place on the map")


def test_held_out_samples_are_named(open_page: Opener) -> None:
    page = open_page(with_held_out(generated_content(130)))
    open_map(page)
    expect(page.get_by_text("Large points are held-out or new samples.")).to_have_count(1)
    expect(page.get_by_text("3 of 30 lie apart")).to_have_count(1)


def with_held_out(content: PageContent) -> PageContent:
    columns = Columns()
    n = content.page["nSamples"]
    columns.add_category("origin", np.arange(n) % 4 // 3, ["fitted", "held-out"], role="origin", shard="origin")
    page = {**content.page, "columns": [*content.page["columns"], *columns.entries], "heldOut": ["3 of 30 lie apart."]}
    return PageContent(page, {**content.shards, **columns.shards})


@pytest.mark.parametrize("dark", [False, True])
def test_map_is_accessible(dark: bool, open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(130, hostile=True), dark=dark, width=390 if dark else 1280)
    open_map(page)
    page.get_by_label("Filter by").select_option(label="group")
    page.get_by_label("Filter by").select_option(label="area")
    assert_accessible(page)
