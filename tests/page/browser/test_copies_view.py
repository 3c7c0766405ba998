"""Copies and labels: pairs, where they overlap, suspicious labels, unreadable files."""

import csv
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import simplejpeg

from cellfeat.page.content import PageContent
from tests.page.browser.opening import assert_accessible, expect, go_to_view, wait_until
from tests.page.generated_content import generated_content

pytestmark = pytest.mark.slow
Opener = Callable[..., Any]
Maker = Callable[..., Path]
VIEW = "Copies and labels"
SIDE = 64


def cards(page: Any) -> Any:
    return page.locator(".pair-card")


def pairs_differ(page: Any) -> list[bool]:
    """Whether the labels of each pair that is shown differ."""
    captions = [card.locator("figcaption").all_inner_texts() for card in cards(page).all()]
    return [one.rsplit(" ", 1)[0] != other.rsplit(" ", 1)[0] for one, other, *_ in captions]


def choose_part(page: Any, name: str) -> None:
    page.get_by_role("group", name="What the audit found").get_by_role("button", name=name).click()


def test_label_conflicts_come_first_and_kinds_are_counted(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(1200))
    go_to_view(page, VIEW)
    expect(cards(page).first).to_have_text(re.compile("^label conflict: 0.990 of equal detail"), use_inner_text=True)
    kinds = page.get_by_role("group", name="Kinds of pairs").get_by_role("button").all_inner_texts()
    assert kinds == ["all 40", "label conflict 8", "copy 8", "near copy 16", "look-alike 8"]
    page.get_by_role("button", name="look-alike 8").click()
    expect(cards(page)).to_have_count(8)


@pytest.mark.parametrize(
    ("order", "first", "last"),
    [
        ("largest shared area first", "cell_0000002", "cell_0000000"),
        ("smallest shared area first", "cell_0000000", "cell_0000002"),
        ("turned or mirrored first", "cell_0000002", "cell_0000000"),
    ],
)
def test_pairs_are_sorted(order: str, first: str, last: str, open_page: Opener) -> None:
    shifted = {"dx": 20, "dy": -8, "quarters": 0, "mirrored": False, "width": 64, "height": 64}
    turned = {"dx": 0, "dy": 0, "quarters": 1, "mirrored": False, "width": 64, "height": 64}
    content = generated_content(130)
    pairs = [
        {"a": 2 * n, "b": 2 * n + 1, "finding": "near copy", "detail": "", "overlap": overlap}
        for n, overlap in enumerate([shifted, turned, None])
    ]
    audit = {"pairs": pairs, "suspects": [], "quarantined": [], "findings": []}
    page = open_page(replace(content, page={**content.page, "audit": audit}))
    go_to_view(page, VIEW)
    page.get_by_label("Order").select_option(label=order)
    cards(page).first.get_by_text(first).wait_for()
    expect(cards(page).nth(1)).to_contain_text(last)
    expect(cards(page).nth(2)).to_contain_text("not known")


def test_pairs_of_different_labels_come_first(open_page: Opener) -> None:
    # Labels of the generated samples are random: some of these pairs agree.
    content = generated_content(130)
    page = open_page(content)
    go_to_view(page, VIEW)
    page.get_by_label("Order").select_option(label="different labels first")
    wait_until(page, lambda: pairs_differ(page)[0] and pairs_differ(page) == sorted(pairs_differ(page), reverse=True))


def test_all_mistakes_open_beside_suspicious_labels(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(1200))
    go_to_view(page, VIEW)
    choose_part(page, "Suspicious labels 20")
    page.get_by_role("button", name="All mistakes of mlp").click()
    page.get_by_role("heading", name="All mistakes of mlp").wait_for()
    expect(page.locator(".matrix")).to_be_visible()


def test_pairs_are_judged_by_keys_and_exported(open_page: Opener, generated_page: Maker, tmp_path: Path) -> None:
    page = open_page(generated_page(1200))
    go_to_view(page, VIEW)
    page.get_by_text("cell_0000000").first.wait_for()
    for key in ("m", "ArrowDown", "ArrowDown", "n"):
        page.keyboard.press(key)
    expect(page.locator("[aria-current=true]")).to_contain_text("cell_0000004")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export judged pairs").click()
    rows = read_table(download.value, tmp_path)
    assert [(row["sample_id"], row["partner"], row["finding"], row["verdict"]) for row in rows] == [
        ("cell_0000001", "cell_0000000", "label conflict", "copies"),
        ("cell_0000005", "cell_0000004", "label conflict", "not copies"),
    ]


def test_keys_turn_pages(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(1200))
    go_to_view(page, VIEW)
    for _ in range(12):
        page.keyboard.press("ArrowDown")
    expect(page.get_by_role("navigation", name="Pages of pairs")).to_contain_text("13 to 24 of 40")
    expect(page.locator("[aria-current=true]")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("navigation", name="Pages of pairs")).to_contain_text("1 to 12 of 40")


def test_a_member_opens_large(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(1200))
    go_to_view(page, VIEW)
    page.get_by_role("button", name="Open cell_0000001 large").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()


@pytest.mark.parametrize(
    ("quarters", "mirrored", "shift"),
    [(0, False, (0, 0)), (1, False, (0, 0)), (3, True, (0, 0)), (1, True, (0, 0)), (0, False, (20, -8))],
)
def test_second_sample_lies_on_the_first(
    quarters: int, mirrored: bool, shift: tuple[int, int], open_page: Opener
) -> None:
    page = open_page(one_pair(quarters, mirrored, shift))
    go_to_view(page, VIEW)
    page.keyboard.press("o")
    first, laid = page.locator(".pair-card .framed").first, page.locator(".laid .framed")
    outline = first.locator(".place")
    where = relative_box(outline.bounding_box(), first.bounding_box())
    outline.evaluate("element => element.style.display = 'none'")
    page.wait_for_timeout(300)
    one, both = (imagecodecs.png_decode(element.screenshot()).astype(int) for element in (first, laid))
    difference = np.abs(one - both)[where].mean()
    assert where[0].stop - where[0].start == pytest.approx(3 * (SIDE - abs(shift[1])), abs=3)
    assert difference < 6, difference
    assert one[where].std() > 30


def test_outline_of_the_second_sample_is_turned_back(open_page: Opener) -> None:
    overlap = {"dx": 32, "dy": 0, "quarters": 1, "mirrored": False, "width": 64, "height": 64}
    page = open_page(with_pair(generated_content(130), overlap))
    go_to_view(page, VIEW)
    frames = page.locator(".pair-card .framed")
    boxes = [
        relative_box(frames.nth(n).locator(".place").bounding_box(), frames.nth(n).bounding_box()) for n in range(2)
    ]
    # The left half of the turned sample was its upper half before a turn anticlockwise.
    assert [(box[0].start, box[0].stop, box[1].start, box[1].stop) for box in boxes] == [
        (0, 192, 96, 192),
        (0, 96, 0, 192),
    ]


def test_suspicious_labels_come_by_confidence_and_are_relabelled(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(1200))
    go_to_view(page, VIEW)
    choose_part(page, "Suspicious labels 20")
    first = page.locator(".suspect").first
    first.get_by_role("button", name="Take").click()
    expect(first).to_contain_text("judged")
    expect(first).to_contain_text("logreg predicts")
    confidences = [text.split("(")[1][:4] for text in page.locator(".suspect").all_inner_texts()]
    assert confidences == sorted(confidences, reverse=True)


def test_unreadable_files_and_findings_are_shown_as_text(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(1200, hostile=True))
    go_to_view(page, VIEW)
    choose_part(page, "Unreadable files 1")
    expect(page.get_by_role("row", name="broken<1>.png not a PNG: <b>truncated</b>")).to_be_visible()
    choose_part(page, "Other findings 1")
    expect(page.get_by_role("cell", name="plate P01: RT4 alone")).to_be_visible()
    assert page.title() == "</script><script>document.title='broken'</script>"


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False), (390, True)])
def test_copies_view_is_accessible(width: int, dark: bool, open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(1200), width=width, dark=dark)
    go_to_view(page, VIEW)
    page.keyboard.press("o")
    for part in ("Pairs", "Suspicious labels", "Unreadable files", "Other findings"):
        choose_part(page, part)
        assert_accessible(page, part)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def read_table(download: Any, folder: Path) -> list[dict[str, str]]:
    path = folder / download.suggested_filename
    download.save_as(path)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def relative_box(inner: dict[str, float], outer: dict[str, float]) -> tuple[slice, slice]:
    top, left = round(inner["y"] - outer["y"]), round(inner["x"] - outer["x"])
    return slice(top, top + round(inner["height"])), slice(left, left + round(inner["width"]))


def with_pair(content: PageContent, overlap: dict[str, Any]) -> PageContent:
    pair = {"a": 0, "b": 1, "finding": "near copy", "detail": "", "overlap": overlap}
    audit = {"pairs": [pair], "suspects": [], "quarantined": [], "findings": []}
    return replace(content, page={**content.page, "audit": audit})


def one_pair(quarters: int, mirrored: bool, shift: tuple[int, int]) -> PageContent:
    """A page of which the second sample is the first: shifted, then turned and mirrored, as a pair's overlap undoes."""
    dx, dy = shift
    y, x = np.mgrid[: 3 * SIDE, : 3 * SIDE]
    scene = 127 + 60 * np.sin(x / 9) + 60 * np.cos((y + x / 3) / 7)
    first, on_first = (scene[SIDE + v : 2 * SIDE + v, SIDE + u : 2 * SIDE + u] for u, v in ((0, 0), (dx, dy)))
    second = np.rot90(on_first, -quarters)
    second = np.fliplr(second) if mirrored else second
    sheet = np.zeros((SIDE, 8 * SIDE), np.uint8)
    sheet[:, :SIDE], sheet[:, SIDE : 2 * SIDE] = first, second
    encoded = simplejpeg.encode_jpeg(sheet[..., None], quality=95, colorspace="GRAY")
    shard = 3 * (len(encoded).to_bytes(4, "little") + encoded)
    overlap = {"dx": dx, "dy": dy, "quarters": quarters, "mirrored": mirrored, "width": SIDE, "height": SIDE}
    content = with_pair(generated_content(130), overlap)
    return replace(content, shards={**content.shards, "thumbnails-0": lambda: shard})
