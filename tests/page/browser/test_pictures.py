"""Thumbnails, the gallery and one sample large, in a real browser."""

from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from cellfeat.page.content import PageContent
from cellfeat.page.samples.neighbours import neighbours_among
from cellfeat.page.serving.server import PageServer, ServedPage
from tests.page.browser.opening import assert_accessible, expect, go_to_view, wait_until
from tests.page.generated_content import generated_content

pytestmark = pytest.mark.slow
Opener = Callable[..., Any]
Maker = Callable[..., Path]

# Mean red, green and blue of the first picture of the gallery.
MEANS = """() => {
  const canvas = document.querySelector('.gallery canvas');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const sums = [0, 0, 0];
  data.forEach((value, place) => { if (place % 4 < 3) sums[place % 4] += value; });
  return sums.map((sum) => sum / (data.length / 4));
}"""


def open_gallery(page: Any) -> None:
    """Show all samples in the gallery, from the map."""
    go_to_view(page, "Map")
    page.get_by_role("button", name="Show these in the gallery").click()
    page.locator(".gallery .item").first.wait_for()


def confidences(page: Any) -> list[float]:
    return [float(text.split()[-1]) for text in page.locator(".caption .quiet").all_inner_texts()]


def means(page: Any) -> np.ndarray:
    page.locator(".gallery canvas").first.wait_for()
    page.wait_for_timeout(100)
    return np.array(page.evaluate(MEANS))


@pytest.mark.parametrize("form", ["file", "folder"])
def test_pictures_are_decoded_in_both_forms(form: str, open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(130, form=form))
    open_gallery(page)
    assert means(page).min() > 5


def test_channels_change_every_picture(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(130))
    open_gallery(page)
    bar = page.get_by_role("group", name="Channels")
    bar.get_by_text("Colours and windows").click()
    nucleus = bar.get_by_role("group", name="nucleus")
    nucleus.get_by_role("button", name="Only this, in grey").click()
    grey = means(page)
    assert grey == pytest.approx(grey[0], abs=1e-9)
    nucleus.get_by_label("Colour").select_option(label="red")
    red = means(page)
    assert red[0] == pytest.approx(grey[0], abs=0.6)
    assert max(red[1], red[2]) < red[0] / 5
    nucleus.get_by_label("White at").fill("120")
    bright = means(page)
    assert bright[0] > red[0] + 5
    nucleus.get_by_label("Gamma").fill("3")
    assert means(page)[0] < bright[0] - 5
    bar.get_by_role("button", name="Reset").click()
    assert means(page).min() > 5


def test_only_pictures_on_the_screen_are_drawn(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(130))
    open_gallery(page)
    page.get_by_role("button", name="L", exact=True).click()
    wait_until(page, lambda: 0 < page.locator(".gallery canvas").count() < 40)
    expect(page.locator(".gallery .item")).to_have_count(60)


def test_gallery_pages_and_sorts(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(130))
    open_gallery(page)
    page.get_by_role("button", name="Next", exact=True).click()
    expect(page.locator(".gallery .item").first).to_have_attribute("data-row", "60")
    page.get_by_label("Order").select_option(label="least confident first")
    wait_until(page, lambda: len(confidences(page)) == 60 and confidences(page) == sorted(confidences(page)))
    page.get_by_role("button", name="Close").click()
    expect(page.locator(".gallery")).to_have_count(0)


def test_gallery_by_keyboard(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(130))
    open_gallery(page)
    page.locator(".gallery .item").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    title = page.locator("dialog h2")
    title.get_by_text("cell_0000002").wait_for()
    page.keyboard.press("ArrowRight")
    title.get_by_text("cell_0000003").wait_for()
    page.keyboard.press("ArrowLeft")
    title.get_by_text("cell_0000002").wait_for()
    page.keyboard.press("Escape")
    page.locator("dialog").wait_for(state="detached")
    expect(page.locator('.gallery .item[data-row="2"]')).to_be_focused()


def test_downloaded_identifiers(open_page: Opener, generated_page: Maker, tmp_path: Path) -> None:
    page = open_page(generated_page(130, hostile=True))
    open_gallery(page)
    with page.expect_download() as started:
        page.get_by_role("button", name="Download ids").click()
    started.value.save_as(tmp_path / "ids.csv")
    lines = (tmp_path / "ids.csv").read_text().splitlines()
    assert lines[:2] == ["sample_id", "<b>&cell_0000000"]
    assert len(lines) == 131


def test_sample_shows_its_values_and_relatives(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(130))
    open_gallery(page)
    page.locator(".gallery .item").nth(3).click()
    dialog = page.locator("dialog")
    dialog.get_by_role("heading", name="Nearest on the map").wait_for()
    expect(dialog.locator(".large canvas")).to_have_count(1 + 3)
    expect(dialog.get_by_text("(label)")).to_have_count(2)
    # Rows 2 and 3 are five pairs of the audit, two of them with an overlap; rows 3 to 5 are a group.
    expect(dialog.locator(".pair")).to_have_count(5)
    expect(dialog.locator(".overlap rect")).to_have_count(2 * 2)
    expect(dialog.get_by_role("cell", name="group_1", exact=True)).to_have_count(1)
    assert_accessible(page)
    dialog.get_by_role("button", name="Show all 3 samples of this group").click()
    page.get_by_role("heading", name="Group group_1").wait_for()
    expect(page.locator(".gallery .item")).to_have_count(3)
    assert [item.get_attribute("data-row") for item in page.locator(".gallery .item").all()] == ["3", "4", "5"]


def test_page_without_pictures(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(130, with_pictures=False))
    open_gallery(page)
    expect(page.locator(".gallery canvas")).to_have_count(0)
    expect(page.get_by_text("The images were not read")).to_have_count(1)
    page.locator(".gallery .tile").get_by_text("cell_0000000").wait_for()
    page.locator(".gallery .item").first.click()
    page.locator("dialog").get_by_role("heading", name="Values").wait_for()


def test_damaged_sheet_is_named_and_the_rest_shown(open_page: Opener) -> None:
    content = generated_content(130)
    content.shards["thumbnails-0"] = lambda: b"\x08\x00\x00\x00not jpeg"
    page = open_page(content)
    open_gallery(page)
    page.get_by_text("picture cannot be read").first.wait_for()
    page.get_by_role("button", name="Next", exact=True).click()
    page.locator(".gallery canvas").first.wait_for()


@pytest.mark.parametrize("dark", [False, True])
def test_gallery_is_accessible(dark: bool, open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(130, hostile=True), width=390, dark=dark)
    open_gallery(page)
    page.get_by_text("Colours and windows").click()
    assert_accessible(page)


def test_exact_pixels_are_shown_where_the_page_is_served(open_page: Opener) -> None:
    content = generated_content(130)
    crop = np.random.default_rng(3).integers(0, 4096, (3, 90, 80)).astype(np.uint16)
    with PageServer(ServedPage(content, lambda row: crop)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        page = open_page(server.access.address)
        open_gallery(page)
        page.locator(".gallery .item").first.click()
        page.get_by_text("80 × 90 pixels of the image").wait_for()
        page.wait_for_timeout(100)
        # The last channel is drawn alone, in grey, from 0 to 4095.
        drawn = page.locator(".each-channel canvas").last.evaluate(
            "canvas => Array.from(canvas.getContext('2d').getImageData(0, 0, 80, 90).data)"
        )
        server.shutdown()
    assert np.reshape(drawn, (90, 80, 4))[..., 0] == pytest.approx(crop[2] / 4095 * 255, abs=1)


def test_neighbours_are_those_of_the_embeddings_where_the_page_has_them(open_page: Opener) -> None:
    content = generated_content(130)
    points = np.arange(130, dtype=np.float32)[:, np.newaxis]
    found = neighbours_among(points, np.arange(130), 130)
    page = open_page(PageContent({**content.page, "neighbours": found.entry}, {**content.shards, **found.shards}))
    open_gallery(page)
    page.locator(".gallery .item").first.click()
    page.get_by_role("heading", name="Most similar embeddings").wait_for()
    page.get_by_role("dialog").get_by_role("button", name="Show these in the gallery").click()
    page.locator(".gallery").get_by_text("13 samples").wait_for()
    rows = [item.get_attribute("data-row") for item in page.locator(".gallery .item").all()]
    assert rows == [str(row) for row in range(13)]


def test_samples_without_a_picture_are_tiles(open_page: Opener) -> None:
    content = generated_content(130)
    page = open_page(
        PageContent({**content.page, "thumbnails": {**content.page["thumbnails"], "count": 2}}, content.shards)
    )
    open_gallery(page)
    page.locator(".gallery .tile").first.wait_for()
    page.locator(".gallery canvas").nth(1).wait_for()
    expect(page.locator(".gallery canvas")).to_have_count(2)


def test_nothing_names_predictions_while_labels_are_judged_blind(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(130))
    go_to_view(page, "Relabel")
    page.get_by_role("button", name="Judge blind").click()
    open_gallery(page)
    assert "redict" not in page.locator("main").inner_text()
    expect(page.locator(".gallery .wrong")).to_have_count(0)
    assert "most confident first" not in page.get_by_label("Order").inner_text()
    page.locator(".gallery .item").first.click()
    dialog = page.locator("dialog.sample")
    dialog.get_by_role("heading", name="Values").wait_for()
    dialog.get_by_role("cell", name="group_0", exact=True).wait_for()
    assert "redict" not in dialog.inner_text()
    assert "robabil" not in dialog.inner_text()
