"""The report: what it says, and how it prints."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.page.browser.opening import expect
from tests.page.generated_content import generated_content

pytestmark = pytest.mark.slow
Opener = Callable[..., Any]
Maker = Callable[..., Path]

INTERVAL = {"score": 0.8, "low": 0.78, "high": 0.82}
LABELS = {"nSamples": 100, "old": INTERVAL, "new": {"score": 0.9, "low": 0.88, "high": 0.92}, "gain": INTERVAL}


def test_scores_stand_in_figure_and_table(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(130))
    head = next(one for one in generated_content(130).page["heads"] if one["verdict"] == "best")
    text = f"{head['score']:.3f} [{head['low']:.3f}, {head['high']:.3f}]"
    section = page.locator(".part").filter(has_text="Comparison of heads")
    expect(section.locator("svg text", has_text=text)).not_to_have_count(0)
    expect(section.get_by_role("cell", name=text)).to_have_count(1)
    expect(section.locator("svg .interval")).to_have_count(2)


def test_feature_files_are_compared_apart_from_heads(open_page: Opener) -> None:
    content = generated_content(130)
    rows = [
        {"name": "mlp on dino", **INTERVAL, "seconds": 3.0, "verdict": "best", "behind": ""},
        {"name": "mlp on cellprofiler", "score": 0.7, "low": 0.68, "high": 0.72, "seconds": 2.0, "verdict": "worse",
         "behind": "behind by 0.100 [0.080, 0.120]"},
    ]  # fmt: skip
    against = {
        "sentences": ["100 samples in 90 groups", "mlp on dino is better than mlp on cellprofiler"],
        "rows": rows,
    }
    overview = {**content.page["overview"], "against": against}
    page = open_page(replace(content, page={**content.page, "overview": overview}))
    section = page.locator(".part").filter(has_text="Comparison of feature files")
    expect(section.locator("svg .interval")).to_have_count(2)
    expect(section.get_by_role("row", name="mlp on cellprofiler")).to_contain_text(
        "worse: behind by 0.100 [0.080, 0.120]"
    )
    expect(section).to_contain_text("mlp on dino is better than mlp on cellprofiler")
    expect(page.locator(".part").filter(has_text="Comparison of heads").locator("svg .interval")).to_have_count(2)


def test_bins_of_few_samples_have_no_point(open_page: Opener) -> None:
    content = generated_content(130)
    bins = [{"confidence": 0.1 * n, "correct": 0.1 * n, "n": n} for n in range(8, 10)]
    bins += [{"confidence": 0.95, "correct": 0.9, "n": 10}]
    heads = [
        {**head, "reliability": {"before": bins, "after": [], "errorBefore": 0.1, "errorAfter": None}}
        for head in content.page["heads"]
    ]
    page = open_page(replace(content, page={**content.page, "heads": heads}))
    section = page.locator(".part").filter(has_text="Calibration of")
    expect(section.locator("svg circle")).to_have_count(1)
    expect(section.locator("svg .counts rect")).to_have_count(3)
    expect(section).to_contain_text("fewer than 10 samples have no point")


def test_open_questions_are_answered_by_hand(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(130))
    page.get_by_label("Which population do the samples stand for?").fill("cells of three donors")
    page.locator("h1").click()
    page.reload()
    page.wait_for_selector("#page .top")
    expect(page.get_by_label("Which population do the samples stand for?")).to_have_value("cells of three donors")


@pytest.mark.parametrize("n_samples", [0, 1])
def test_few_samples_make_a_report(n_samples: int, open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(n_samples))
    expect(page.locator(".report")).to_be_visible()
    expect(page.locator(".report").get_by_text("There are no samples")).to_have_count(int(n_samples == 0))


def test_changed_labels_are_compared_on_the_same_samples(open_page: Opener) -> None:
    content = generated_content(130)
    heads = [
        {"head": "mlp", "all": LABELS, "unseen": LABELS, "whyNot": ""},
        {"head": "logreg", "all": LABELS, "unseen": None, "whyNot": "one class remains"},
    ]
    overview = {**content.page["overview"], "relabelling": {"sentences": ["20 labels changed"], "heads": heads}}
    page = open_page(replace(content, page={**content.page, "overview": overview}))
    section = page.locator(".part").filter(has_text="Changed labels")
    expect(section.locator("svg .interval")).to_have_count(6)
    expect(section.locator("tbody tr")).to_have_count(3)
    expect(section).to_contain_text("logreg: one class remains")


def test_report_prints_in_light_colours_on_a4(open_page: Opener, generated_page: Maker) -> None:
    page = open_page(generated_page(130), dark=True)
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    expect(page.get_by_role("button", name="Print or save as PDF")).to_be_hidden()
    printed = page.pdf(prefer_css_page_size=True)
    assert printed.count(b"/Type /Page\n") in {2, 3, 4}
