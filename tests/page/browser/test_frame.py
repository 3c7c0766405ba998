"""The frame of the page: views, keys, the address, colours, and what is shown where something is missing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cellfeat.page.notebook import ShownPage
from tests.page.browser.opening import Trouble, assert_accessible, expect, go_to_view
from tests.page.generated_content import generated_content

pytestmark = pytest.mark.slow
Opener = Callable[..., Any]
Maker = Callable[..., Path]

SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def shown_view(page: Any) -> Any:
    return page.locator(".top nav [aria-current=page]")


def wait_for_hash(page: Any, text: str) -> None:
    page.wait_for_function("text => location.hash === text", arg=text)


def test_address_keeps_what_is_shown(open_page: Opener, generated_page: Maker) -> None:
    path = generated_page(130)
    page = open_page(f"{path.as_uri()}#view=confusion&head=logreg&true=3&predicted=3&sample=17")
    page.wait_for_selector("dialog.sample")
    expect(shown_view(page)).to_have_text("Confusion")
    expect(page.locator("#view h2").first).to_contain_text("logreg")
    expect(page.locator(".gallery h2")).to_have_text("A549, predicted A549 (logreg)")
    wait_for_hash(page, "#view=confusion&head=logreg&true=3&predicted=3&sample=17")


def test_address_of_something_else_is_mended(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(f"{generated_page(130).as_uri()}#view=nothing&head=<b>&true=99&predicted=-3&sample=130")
    wait_for_hash(page, "#view=overview&head=mlp")


def test_back_button_goes_back(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(130))
    go_to_view(page, "Confusion")
    page.locator(".matrix td.correct button").first.click()
    page.wait_for_selector(".gallery")
    page.go_back()
    page.wait_for_selector(".gallery", state="detached")
    expect(shown_view(page)).to_have_text("Confusion")
    page.go_back()
    expect(shown_view(page)).to_have_text("Report")
    page.go_forward()
    expect(shown_view(page)).to_have_text("Confusion")


def test_keys_choose_views_and_open_help(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(130))
    page.keyboard.press("2")
    page.wait_for_function("document.activeElement.id === 'view'")
    expect(shown_view(page)).to_have_text("Confusion")
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keys").wait_for()
    page.keyboard.press("1")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_have_count(0)
    expect(shown_view(page)).to_have_text("Confusion")


def test_escape_closes_sample_then_gallery_and_focus_returns(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(f"{generated_page(130).as_uri()}#view=confusion")
    cell = page.locator(".matrix td.correct button").nth(2)
    cell.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".gallery .item")
    page.keyboard.press("g")
    expect(page.locator(".gallery .item").first).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog.sample[open]")
    page.keyboard.press("ArrowRight")
    page.locator("dialog .steps").get_by_text("2 of").wait_for()
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog.sample", state="detached")
    # The one that was shown last.
    expect(page.locator(".gallery .item").nth(1)).to_be_focused()
    expect(page.locator(".gallery")).to_have_count(1)
    page.keyboard.press("Escape")
    page.wait_for_selector(".gallery", state="detached")
    page.wait_for_function("document.activeElement.closest('.matrix') !== null")
    expect(cell).to_be_focused()


def test_skip_link_leads_past_the_header(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(130))
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#view")).to_be_focused()
    wait_for_hash(page, "#view=overview&head=mlp")


def test_keys_do_nothing_in_fields(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(130))
    page.locator("textarea").first.fill("")
    page.locator("textarea").first.type("2 classes?")
    expect(shown_view(page)).to_have_text("Report")
    expect(page.locator("textarea").first).to_have_value("2 classes?")


def test_colours_are_kept(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(130))
    back = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(back)
    page.get_by_label("Colours").select_option("dark")
    dark = page.evaluate(back)
    assert dark != light
    page.reload()
    page.wait_for_selector("#page .top")
    assert page.evaluate(back) == dark


def test_page_works_where_nothing_can_be_kept(browser: Any, generated_page: Maker) -> None:
    page, trouble = browser.new_page(), Trouble()
    trouble.watch(page)
    page.add_init_script("Object.defineProperty(window, 'localStorage', {get() { throw new Error('forbidden') }})")
    page.goto(generated_page(130).as_uri())
    page.wait_for_selector("#page .top")
    page.get_by_label("Colours").select_option("dark")
    page.close()
    assert not trouble.seen


def test_missing_shard_is_a_sentence(browser: Any, tmp_path: Path) -> None:
    from tests.page.browser.conftest import write_page

    content = generated_content(130)
    write_page(content, tmp_path, "folder")
    for column in content.page["columns"]:
        if column["role"] == "predicted":
            (tmp_path / "shards" / f"{column['shard']}.js").unlink()
    page = browser.new_page()
    page.goto((tmp_path / "index.html").as_uri() + "#view=confusion")
    page.locator(".matrix td.correct button").first.click()
    page.wait_for_selector("[role=alert]")
    expect(page.locator("[role=alert]").first).to_contain_text("the folder of this page is incomplete")
    expect(page.locator(".matrix")).to_be_visible()
    page.close()


@pytest.mark.parametrize("n_samples", [0, 1, 130])
def test_nothing_scrolls_sideways_on_a_phone(n_samples: int, open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(n_samples, hostile=n_samples > 1), width=390)
    for title in page.locator(".top nav button").all_inner_texts():
        go_to_view(page, title)
        assert page.evaluate(SIDEWAYS) <= 0, title


@pytest.mark.parametrize("dark", [False, True])
def test_report_confusion_and_heads_are_accessible(dark: bool, open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(130, hostile=True), dark=dark)
    for title in ("Report", "Confusion", "Head against head"):
        go_to_view(page, title)
        assert_accessible(page, title)
    go_to_view(page, "Confusion")
    page.locator(".matrix .total button").first.click()
    page.wait_for_selector(".gallery .item")
    assert_accessible(page, "matrix and gallery")
    page.keyboard.press("?")
    assert_accessible(page, "keys")


def test_judging_blind_closes_what_names_predictions(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(f"{generated_page(130).as_uri()}#view=confusion&true=3&predicted=3")
    page.wait_for_selector(".gallery")
    go_to_view(page, "Relabel")
    page.get_by_role("button", name="Judge blind").click()
    expect(page.locator(".gallery")).to_have_count(0)
    wait_for_hash(page, "#view=relabel&head=mlp")
    page.evaluate("location.hash = 'view=relabel&true=3&predicted=3'")
    page.wait_for_timeout(100)
    expect(page.locator(".gallery")).to_have_count(0)


def test_page_within_a_notebook_stays_in_its_frame(browser: Any, tmp_path: Path) -> None:
    notebook = tmp_path / "notebook.html"
    notebook.write_text(ShownPage(generated_content(130))._repr_html_(), encoding="utf-8")
    page, trouble = browser.new_page(), Trouble()
    trouble.watch(page)
    page.goto(notebook.as_uri())
    frame = page.frame_locator("iframe")
    go_to_view(frame, "Confusion")
    frame.locator(".matrix td.correct button").first.click()
    frame.locator(".gallery .item").first.wait_for()
    page.close()
    assert not trouble.seen
