"""Contact sheets from results and images: which samples they show, in which order, and what they say."""

import numpy as np
import pytest

import cellfeat
from cellfeat.errors import ConfigError, ManifestError, MissingFileError, UnknownNameError
from cellfeat.evaluation.comparison.compare import compare
from cellfeat.extraction.store import Features
from cellfeat.reporting.sheets import Pair, SheetOptions, draw_pairs
from cellfeat.saved_results.predictions import Results
from tests.feature_fixtures import SMALL, build_clusters, save_pictures, with_samples

CLASSES = ("A549", "HeLa", "RT4")


@pytest.fixture(scope="module")
def pictured(tmp_path_factory: pytest.TempPathFactory) -> Features:
    """Samples of three classes with a picture each; shared, so leave it as it is."""
    pixels = np.random.default_rng(0).integers(0, 255, (60, 8, 8), dtype=np.uint8)
    clusters = build_clusters(n=60, separation=0.5, classes=CLASSES)
    return save_pictures(clusters, pixels, tmp_path_factory.mktemp("sheets") / "images")


@pytest.fixture(scope="module")
def results(pictured: Features) -> Results:
    found = compare(pictured, ["logreg", "dummy"], design=SMALL)
    return Results("the comparison", found.predictions(), found.record())


def lines_of(figure) -> list[list[str]]:
    return [axes.texts[0].get_text().split("\n") for axes in figure.axes]


def title_of(figure) -> str:
    return figure.texts[0].get_text().replace("\n", " ")


def test_mistakes_are_sorted_by_confidence(pictured: Features, results: Results) -> None:
    shown = lines_of(cellfeat.draw_mistakes(pictured, results, "logreg", options=SheetOptions(rows=99)))
    table = results.table[results.table["head"] == "logreg"]
    wrong = table[table["label"] != table["predicted"]]
    assert len(shown) == len(wrong)
    confidences = [float(line.split()[0]) for _, line in shown]
    assert confidences == sorted(confidences, reverse=True)
    pairs = dict(zip(wrong["sample_id"], wrong["label"] + " → " + wrong["predicted"], strict=True))
    assert {line.split()[1]: pair for pair, line in shown} == pairs


def test_mistakes_can_be_chosen_by_both_classes(pictured: Features, results: Results) -> None:
    figure = cellfeat.draw_mistakes(pictured, results, "logreg", true="HeLa", predicted="A549")
    table = results.table[results.table["head"] == "logreg"]
    wanted = table[(table["label"] == "HeLa") & (table["predicted"] == "A549")]["sample_id"]
    assert {lines[0].split()[1] for lines in lines_of(figure)} == set(wanted)
    assert "of HeLa for A549" in title_of(figure)


def test_rows_bound_the_sheet_and_the_title_says_so(pictured: Features, results: Results) -> None:
    figure = cellfeat.draw_mistakes(pictured, results, options=SheetOptions(rows=1, width="one"))
    assert len(figure.axes) == 4
    assert title_of(figure).endswith("; 4 shown")


def test_examples_are_spread_over_the_file(pictured: Features) -> None:
    figure = cellfeat.draw_examples(pictured, "HeLa", options=SheetOptions(rows=1, width="one"))
    rows = [int(lines[0].removeprefix("s")) for lines in lines_of(figure)]
    assert rows == [1, 19, 37, 58]
    every = lines_of(cellfeat.draw_examples(pictured, options=SheetOptions(width="one")))
    assert [lines[0] for lines in every] == [name for name in CLASSES for _ in range(4)]


@pytest.mark.slow
def test_pairs_have_both_labels_and_the_finding(pictured: Features) -> None:
    figure = draw_pairs(pictured, [Pair("s0", "s1", "near copy"), Pair("s0", "gone", "copy")])
    assert lines_of(figure) == [["A549", "s0", "near copy"], ["HeLa", "s1"]]
    assert "1 pair" in title_of(figure)


def test_wishes_that_cannot_be_met_are_explained(pictured: Features, results: Results) -> None:
    with pytest.raises(UnknownNameError, match="logreg"):
        cellfeat.draw_mistakes(pictured, results, "mlp")
    with pytest.raises(UnknownNameError, match="HeLa"):
        cellfeat.draw_examples(pictured, "hela")
    with pytest.raises(ConfigError, match="rows"):
        SheetOptions(rows=0)
    with pytest.raises(ManifestError, match="no pair"):
        draw_pairs(pictured, [])
    with pytest.raises(ManifestError, match="no classes"):
        cellfeat.draw_examples(with_samples(pictured, labels=np.full(60, "")))
    with pytest.raises(MissingFileError, match="table"):
        cellfeat.draw_examples(Features.from_arrays(np.eye(4), labels=["a", "b"] * 2))


def test_head_without_mistakes_has_nothing_to_show(pictured: Features, results: Results) -> None:
    perfect = Results("the comparison", results.table.assign(predicted=results.table["label"]), results.record)
    with pytest.raises(ManifestError, match="no mistakes"):
        cellfeat.draw_mistakes(pictured, perfect)
