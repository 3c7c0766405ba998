"""Relabelling: blind and open judgements, undo, what is kept, and files that go out and come back."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.page.browser.opening import assert_accessible, expect, go_to_view
from tests.page.browser.test_copies_view import choose_part, read_table
from tests.page.generated_content import generated_content

pytestmark = pytest.mark.slow
Opener = Callable[..., Any]
Maker = Callable[..., Path]
COLUMNS = ["sample_id", "label", "label_before", "head", "predicted", "confidence", "seen", "changed_at"]


def judge_blind(page: Any, keys: str) -> None:
    go_to_view(page, "Relabel")
    page.get_by_role("button", name="judging blind").or_(page.get_by_role("button", name="Judge blind")).click()
    page.locator(".standing").get_by_text("Not judged yet").wait_for()
    start = int(page.locator("progress").get_attribute("value"))
    for n_judged, key in enumerate(keys, start=start + 1):
        page.keyboard.press(key)
        page.locator(f"progress[value='{n_judged}']").wait_for()


def end_blind(page: Any) -> None:
    page.get_by_role("button", name="End, and show predictions").click()


def exported(page: Any, folder: Path) -> list[dict[str, str]]:
    with page.expect_download() as download:
        page.get_by_role("button", name="Export changes.csv").click()
    return read_table(download.value, folder)


def test_blind_judgements_hide_predictions_and_are_exported(
    open_page: Opener, generated_page: Maker, tmp_path: Path
) -> None:
    page = open_page(generated_page(1200))
    judge_blind(page, "k10")
    assert "predict" not in page.locator(".one-by-one").inner_text().replace("End, and show predictions", "")
    end_blind(page)
    rows = exported(page, tmp_path)
    assert list(rows[0]) == COLUMNS
    assert [row["seen"] for row in rows] == ["blind"] * 3
    assert rows[0]["label"] == rows[0]["label_before"] != ""
    assert [rows[1]["label"], rows[2]["label"]] == ["PC-3", ""]
    assert {row["head"] for row in rows} == {"mlp"}
    assert all(0 < float(row["confidence"]) <= 1 and row["predicted"] for row in rows)
    assert all(row["changed_at"].endswith("Z") for row in rows)


def test_queue_mixes_as_many_agreements(open_page: Opener, generated_page: Maker, tmp_path: Path) -> None:
    page = open_page(generated_page(130))
    judge_blind(page, "k")
    total = int(page.locator("progress").get_attribute("max"))
    end_blind(page)
    judge_blind(page, "k" * (total - 1))
    expect(page.get_by_text("All samples are judged.")).to_be_visible()
    end_blind(page)
    rows = exported(page, tmp_path)
    agreed = [row["predicted"] == row["label_before"] for row in rows]
    assert sum(agreed) * 2 == len(rows) == total
    # Neither kind comes first.
    assert 0 < sum(agreed[: total // 2]) < total // 2


def test_undo_goes_back_to_the_sample(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(1200))
    judge_blind(page, "1")
    expect(page.locator("progress")).to_have_attribute("value", "1")
    page.keyboard.press("u")
    page.locator("progress[value='0']").wait_for()


def test_judgements_are_kept_for_the_page(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(1200))
    judge_blind(page, "12")
    page.reload()
    end_blind(page)
    go_to_view(page, "Relabel")
    page.get_by_text("378 samples, 2 of them judged").wait_for()
    expect(page.get_by_role("region", name="Judged samples").get_by_role("rowheader")).to_have_count(2)


def test_seen_predictions_are_not_judged_blind(open_page: Opener, generated_page: Maker, tmp_path: Path) -> None:
    page = open_page(generated_page(1200))
    go_to_view(page, "Copies and labels")
    choose_part(page, "Suspicious labels 20")
    page.locator(".suspect").first.get_by_role("button", name="Take").click()
    go_to_view(page, "Relabel")
    page.get_by_text("more are left out: you have seen their predictions").wait_for()
    (row,) = exported(page, tmp_path)
    assert row["seen"] == "prediction"
    assert row["sample_id"] == "cell_0000050"


def test_blind_stays_in_all_views_until_it_is_ended(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(1200))
    judge_blind(page, "k")
    notice = page.get_by_role("region", name="Judging blind")
    for view, sentence in [
        ("Confusion", "Confusion shows predictions"),
        ("Head against head", "Head against head shows predictions"),
        ("Map", "Colour by"),
        ("Copies and labels", "Pairs"),
    ]:
        go_to_view(page, view)
        expect(page.locator("#view")).to_contain_text(sentence)
        expect(notice).to_be_visible()
    choose_part(page, "Suspicious labels 20")
    expect(page.locator("#view")).to_contain_text("hidden while you judge blind")
    page.reload()
    page.wait_for_selector("#page .top")
    notice.get_by_role("button", name="Go on judging").click()
    page.locator("progress[value='1']").wait_for()
    go_to_view(page, "Confusion")
    end_blind(page)
    expect(notice).to_be_hidden()
    expect(page.locator(".matrix")).to_be_visible()


def open_from_the_gallery(page: Any) -> None:
    go_to_view(page, "Confusion")
    page.get_by_role("button", name="mistakes").click()
    page.locator(".gallery .item").first.click()


def open_from_suspects(page: Any) -> None:
    go_to_view(page, "Copies and labels")
    choose_part(page, "Suspicious labels 20")
    page.locator(".suspect .framed").first.click()


def open_from_the_map(page: Any) -> None:
    go_to_view(page, "Map")
    page.get_by_role("button", name="Show these in the gallery").click()
    page.locator(".gallery .item").first.click()


def open_from_pairs(page: Any) -> None:
    go_to_view(page, "Copies and labels")
    page.locator(".pair-card .framed").first.click()


def keep_label(page: Any) -> None:
    page.locator("dialog .standing").get_by_text("Not judged yet").wait_for()
    page.keyboard.press("k")
    page.locator("dialog .standing").get_by_text("You confirmed").wait_for()
    page.keyboard.press("Escape")


@pytest.mark.parametrize("open_sample", [open_from_the_gallery, open_from_suspects, open_from_the_map, open_from_pairs])
def test_sample_opened_with_predictions_is_judged_as_seen(
    open_sample: Callable[[Any], None], open_page: Opener, generated_page: Maker, tmp_path: Path
) -> None:
    page = open_page(generated_page(1200))
    open_sample(page)
    keep_label(page)
    go_to_view(page, "Relabel")
    (row,) = exported(page, tmp_path)
    assert row["seen"] == "prediction"


@pytest.mark.parametrize("open_sample", [open_from_the_map, open_from_pairs])
@pytest.mark.parametrize("is_seen_before", [False, True])
def test_sample_opened_blind_remembers_what_was_seen_before(
    open_sample: Callable[[Any], None],
    is_seen_before: bool,
    open_page: Opener,
    generated_page: Maker,
    tmp_path: Path,
) -> None:
    page = open_page(generated_page(1200))
    if is_seen_before:
        open_sample(page)
        page.locator("dialog .probabilities").wait_for()
        page.keyboard.press("Escape")
    judge_blind(page, "")
    open_sample(page)
    keep_label(page)
    end_blind(page)
    go_to_view(page, "Relabel")
    (row,) = exported(page, tmp_path)
    assert row["seen"] == ("prediction" if is_seen_before else "blind")


def test_predictions_in_a_gallery_count_as_seen(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(1200))
    go_to_view(page, "Confusion")
    page.get_by_role("button", name="mistakes").click()
    page.locator(".gallery .item .caption").first.wait_for()
    go_to_view(page, "Relabel")
    page.get_by_text("60 more are left out").wait_for()


def test_export_is_read_again_with_hostile_names(open_page: Opener, tmp_path: Path) -> None:
    content = generated_content(130, hostile=True)
    page = open_page(content)
    judge_blind(page, "9870")
    end_blind(page)
    rows = exported(page, tmp_path)
    assert [row["label"] for row in rows] == [*reversed(content.page["classes"][6:9]), ""]
    assert all(row["sample_id"].startswith("<b>&cell_") for row in rows)
    page.get_by_role("button", name="Undo the last").click()
    assert len(exported(page, tmp_path / "undone")) == 3
    other = open_page(content)
    go_to_view(other, "Relabel")
    other.get_by_label("Go on from an earlier export").set_input_files(tmp_path / "changes.csv")
    other.get_by_text("4 judgements were read.").wait_for()
    assert exported(other, tmp_path / "again") == rows


def test_import_says_which_rows_it_leaves_out(open_page: Opener, generated_page: Maker, tmp_path: Path) -> None:
    page = open_page(generated_page(1200))
    go_to_view(page, "Relabel")
    header = ",".join(COLUMNS)
    (tmp_path / "bad.csv").write_text("sample_id,label\ncell_0000001,HeLa\n")
    upload = page.get_by_label("Go on from an earlier export")
    upload.set_input_files(tmp_path / "bad.csv")
    page.get_by_text("it lacks label_before, head").wait_for()
    (tmp_path / "other.csv").write_text(
        f"{header}\r\n<i>nobody</i>,HeLa,RT4,,,,blind,2026\r\ncell_0000001,HeLa,never,,,,blind,2026\r\n"
        "cell_0000002,RT4,HEK 293,,,,looked,2026\r\n"
    )
    upload.set_input_files(tmp_path / "other.csv")
    page.get_by_text("other.csv, line 2: no sample of this page is called <i>nobody</i>").wait_for()
    expect(page.get_by_text("other.csv, line 3: the label was never")).to_be_visible()
    expect(page.get_by_text("other.csv, line 4: seen is looked")).to_be_visible()
    expect(page.get_by_text("0 judgements were read.")).to_be_visible()


def test_says_what_is_lost_on_closing(open_page: Opener) -> None:
    content = generated_content(130)
    page = open_page(replace(content, page={**content.page, "digest": ""}))
    go_to_view(page, "Relabel")
    expect(page.get_by_role("alert")).to_contain_text("lost when this page is closed")


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False), (390, True)])
def test_relabel_view_is_accessible(width: int, dark: bool, open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(1200), width=width, dark=dark)
    judge_blind(page, "12k0")
    assert_accessible(page, "blind")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    end_blind(page)
    assert_accessible(page, "judged")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_sample_shown_large_gets_a_label_by_a_key(open_page: Opener, generated_page: Maker, tmp_path: Path) -> None:
    page = open_page(generated_page(1200))
    go_to_view(page, "Copies and labels")
    page.get_by_role("button", name="Open cell_0000001 large").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Not judged yet").wait_for()
    page.keyboard.press("2")
    dialog.get_by_role("button", name="U-251 MG", pressed=True).wait_for()
    page.keyboard.press("Escape")
    go_to_view(page, "Relabel")
    (row,) = exported(page, tmp_path)
    assert (row["sample_id"], row["label"], row["seen"]) == ("cell_0000001", "U-251 MG", "prediction")
