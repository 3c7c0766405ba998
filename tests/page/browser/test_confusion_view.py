"""The confusion matrix: its numbers, its keys, and the samples behind its cells."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cellfeat.page.content import Columns, PageContent
from tests.page.browser.opening import expect
from tests.page.generated_content import HOSTILE, generated_content

pytestmark = pytest.mark.slow
Opener = Callable[..., Any]
Maker = Callable[..., Path]


def open_confusion(open_page: Opener, path: Path, **how: Any) -> Any:
    return open_page(f"{path.as_uri()}#view=confusion", **how)


def texts_of(button: Any) -> list[str]:
    """What a cell shows: not the class names, which are for screen readers."""
    script = (
        "one => [...one.childNodes].filter(node => node.className !== 'hidden').map(node => node.textContent.trim())"
    )
    return list(button.evaluate(script))


def partly_labelled(n_classes: int = 3) -> PageContent:
    """Samples of which some have no label or no prediction, and a head that never predicts the last class."""
    classes = [f"class {n}" for n in range(n_classes)]
    label = np.tile(np.arange(n_classes), 4)
    predicted = np.minimum(label, n_classes - 2)
    label[:2], predicted[2] = -1, -1
    columns = Columns()
    columns.add_text("sample_id", [f"cell {n}" for n in range(len(label))], role="id")
    columns.add_category("label", label, classes, role="label")
    columns.add_category("predicted", predicted, classes[:-1], role="predicted", head="mlp")
    confusion = np.zeros((n_classes, n_classes - 1), int)
    both = (label >= 0) & (predicted >= 0)
    np.add.at(confusion, (label[both], predicted[both]), 1)
    head = next(one for one in generated_content(50).page["heads"] if one["name"] == "mlp")
    head |= {"confusion": confusion.tolist(), "predictedClasses": classes[:-1], "perClass": [], "probabilities": None}
    page = {**generated_content(50, with_pictures=False).page, "nSamples": len(label), "classes": classes}
    page |= {"heads": [head], "columns": columns.entries, "map": None, "audit": None}
    return PageContent(page, columns.shards)


def test_cell_to_image_takes_two_clicks(open_page: Opener, generated_page: Maker) -> None:
    page = open_confusion(open_page, generated_page(1200))
    cell = page.locator(".matrix td.mistake button:not([aria-disabled])").first
    n = int(texts_of(cell)[0])
    cell.click()
    page.wait_for_selector(".gallery .item")
    expect(page.locator(".gallery .item")).to_have_count(n)
    expect(cell).to_have_attribute("aria-pressed", "true")
    page.locator(".gallery .item").first.click()
    page.wait_for_selector("dialog.sample[open]")


def test_gallery_shows_the_most_confident_mistakes_first(open_page: Opener, generated_page: Maker) -> None:
    page = open_confusion(open_page, generated_page(1200))
    page.locator(".matrix .total button").first.click()
    page.wait_for_selector(".gallery .item .caption")
    captions = page.locator(".gallery .item .caption").all_inner_texts()
    mistakes = [float(text.split()[-1]) for text in captions if "✗" in text]
    correct = [float(text.split()[-1]) for text in captions[len(mistakes) :]]
    assert len(mistakes) > 3
    assert all("✓" in text for text in captions[len(mistakes) :])
    assert mistakes == sorted(mistakes, reverse=True)
    assert correct == sorted(correct)


def captions_of_all_mistakes(page: Any) -> list[str]:
    page.get_by_role("button", name="mistakes").click()
    page.get_by_role("heading", name="All mistakes of mlp").wait_for()
    page.locator(".gallery .item .caption").first.wait_for()
    return list(page.locator(".gallery .item .caption").all_inner_texts())


def test_one_button_opens_all_mistakes_of_all_classes(open_page: Opener, generated_page: Maker) -> None:
    page = open_confusion(open_page, generated_page(1200))
    captions = captions_of_all_mistakes(page)
    n = sum(int(texts_of(cell)[0]) for cell in page.locator(".matrix td.mistake button:not([aria-disabled])").all())
    expect(page.get_by_role("button", name=f"All {n} mistakes")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".gallery").get_by_text(f"{n} samples")).to_be_visible()
    assert all("✗" in text for text in captions)
    confidences = [float(text.split()[-1]) for text in captions]
    assert confidences == sorted(confidences, reverse=True)
    assert len({text.split("✗")[0].strip() for text in captions}) > 5
    page.reload()
    page.get_by_role("heading", name="All mistakes of mlp").wait_for()


def test_the_number_of_all_samples_opens_them(open_page: Opener, generated_page: Maker) -> None:
    page = open_confusion(open_page, generated_page(130))
    page.locator(".matrix .all button").click()
    page.get_by_role("heading", name="All samples (mlp)").wait_for()
    expect(page.locator(".gallery").get_by_text("130 samples")).to_be_visible()


def test_all_mistakes_leave_out_samples_without_label_or_prediction(open_page: Opener) -> None:
    page = open_page(partly_labelled())
    page.get_by_role("button", name="Confusion").click()
    captions = captions_of_all_mistakes(page)
    assert len(captions) == 3
    assert all("class 2" in text for text in captions)


def test_gallery_is_sorted_by_the_probability_of_the_label(open_page: Opener, generated_page: Maker) -> None:
    page = open_confusion(open_page, generated_page(1200))
    captions_of_all_mistakes(page)
    page.locator(".gallery").get_by_label("Order").select_option(label="least likely label first")
    page.wait_for_timeout(200)
    page.locator(".gallery .item").first.click()
    shown = []
    for place in range(1, 5):
        page.locator("dialog .steps").get_by_text(f"{place} of").wait_for()
        bars = page.locator("dialog .probabilities section").filter(has_text="mlp").locator("tr", has_text="(label)")
        shown.append(float(bars.locator(".number").inner_text()))
        page.keyboard.press("ArrowRight")
    assert shown == sorted(shown)
    assert shown[0] < 0.1


def test_gallery_shows_what_was_judged(open_page: Opener, generated_page: Maker) -> None:
    page = open_confusion(open_page, generated_page(1200))
    captions_of_all_mistakes(page)
    page.locator(".gallery .item").first.click()
    page.locator("dialog .standing").get_by_text("Not judged yet").wait_for()
    page.keyboard.press("0")
    page.locator("dialog .standing").get_by_text("cannot tell").wait_for()
    page.keyboard.press("Escape")
    expect(page.locator(".gallery .item").first).to_contain_text("cannot tell")


def test_arrow_keys_move_between_cells(open_page: Opener, generated_page: Maker) -> None:
    page = open_confusion(open_page, generated_page(130))
    page.locator('.matrix button[tabindex="0"]').focus()
    for key, place in [
        ("ArrowRight", "1 2"),
        ("ArrowDown", "2 2"),
        ("End", "2 10"),
        ("Home", "2 1"),
        ("ArrowUp", "1 1"),
    ]:
        page.keyboard.press(key)
        found = page.evaluate(
            "(() => { const cell = document.activeElement.closest('td');"
            " return `${cell.parentElement.rowIndex} ${cell.cellIndex}` })()"
        )
        assert found == place, key
    expect(page.locator('.matrix button[tabindex="0"]')).to_have_count(1)


def test_numbers_are_counts_or_shares(open_page: Opener, generated_page: Maker) -> None:
    page = open_confusion(open_page, generated_page(1200))
    first = page.locator(".matrix td.correct button").first
    counted, share = texts_of(first)
    page.get_by_role("button", name="Share of row").click()
    expect(first).to_have_text(re.compile(f"{re.escape(share)}.*{re.escape(counted)}$", re.DOTALL))
    (total,) = texts_of(page.locator(".matrix .total button").first)
    assert int(counted) / int(total) == pytest.approx(float(share.split()[0]) / 100, abs=0.006)


def test_another_head_has_its_own_matrix(open_page: Opener, generated_page: Maker) -> None:
    page = open_confusion(open_page, generated_page(1200))
    first = page.locator(".matrix td.correct button").first
    first.click()
    page.wait_for_selector(".gallery")
    before = first.text_content()
    page.get_by_role("combobox", name="Head", exact=True).select_option("logreg")
    expect(first).not_to_have_text(before)
    expect(page.locator(".gallery")).to_have_count(0)


def test_largest_confusions_open_their_samples(open_page: Opener, generated_page: Maker) -> None:
    page = open_confusion(open_page, generated_page(1200))
    first = page.locator(".confusions li").first
    n = int(first.locator(".figures").inner_text().split(",")[0])
    first.locator("button").click()
    page.wait_for_selector(".gallery .item")
    expect(page.locator(".gallery .item")).to_have_count(n)


def test_hostile_names_are_text(open_page: Opener, generated_page: Maker) -> None:
    page = open_confusion(open_page, generated_page(130, hostile=True))
    expect(page.locator(".matrix tbody th", has_text=HOSTILE[0])).to_have_count(1)
    assert page.title() == HOSTILE[1]


def test_samples_outside_the_matrix_are_reached(open_page: Opener) -> None:
    page = open_page(partly_labelled())
    page.keyboard.press("2")
    page.wait_for_selector("text=Not in the matrix")
    expect(page.locator(".matrix thead .answer")).to_have_text(["class 0", "class 1"])
    page.get_by_role("button", name="class 1 (1)").click()
    page.wait_for_selector(".gallery .item")
    expect(page.locator(".gallery h2")).to_have_text("no label, predicted class 1 (mlp)")
    page.get_by_role("button", name="1 labelled sample without a prediction").click()
    page.wait_for_function("document.querySelector('.gallery h2').textContent.startsWith('no prediction')")
    page.wait_for_function("location.hash.endsWith('predicted=none')")


def test_many_classes_stay_in_their_box(open_page: Opener) -> None:
    page = open_page(partly_labelled(60), width=390)
    page.keyboard.press("2")
    expect(page.locator(".matrix tbody tr")).to_have_count(60)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
