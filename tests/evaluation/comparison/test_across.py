from dataclasses import replace

import numpy as np
import pytest

from cellfeat.errors import SplitError
from cellfeat.evaluation.comparison.across import across_design, across_plates, plate_hint
from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.design import Design
from tests.feature_fixtures import build_clusters, with_samples

PLAIN = Design(folds=3, draws=100)


def shifted(n=270, n_plates=3, name="plate"):
    """Clusters on plates, the last of which holds noise."""
    features = build_clusters(n=n, dim=8, separation=4)
    plates = np.arange(n) // 3 % n_plates
    noise = np.random.default_rng(1).normal(size=features.embeddings.shape).astype(np.float32)
    moved = np.where((plates == n_plates - 1)[:, None, None], noise, features.embeddings)
    columns = {name: np.array([f"P{plate + 1}" for plate in plates])}
    return with_samples(replace(features, embeddings=moved), columns=columns)


@pytest.fixture(scope="module")
def across():
    features, heads = shifted(), ["logreg", "dummy"]
    return across_plates(
        compare(features, heads, design=PLAIN), compare(features, heads, design=across_design(PLAIN, "plate")), "plate"
    )


def test_each_plate_has_a_score_and_the_worst_is_named(across):
    best = across.heads[0]
    assert best.head == "logreg"
    assert best.worst.name == "P3"
    assert best.left_out.balanced_accuracy > best.worst.balanced_accuracy
    line = next(iter(across.lines()))
    assert all(noun in line for noun in ("logreg", "each plate left out", f"{best.pooled:.3f}", "worst plate: P3"))


def test_record_has_the_scores_of_all_plates(across):
    record = across.record()
    assert record["column"] == "plate"
    assert [plate["name"] for plate in record["heads"][0]["plates"]] == ["P1", "P2", "P3"]
    assert record["heads"][0]["worst"] == "P3"
    assert record["design"]["folds"] == "leave-one-out"


def test_a_class_on_one_plate_only_cannot_be_scored():
    features = shifted(n_plates=3)
    labels = np.where(features.samples.columns["plate"] == "P1", features.samples.labels, "a")
    with pytest.raises(SplitError, match="one group of plate only"):
        compare(with_samples(features, labels=labels), ["dummy"], design=across_design(PLAIN, "plate"))


@pytest.mark.parametrize("name", ["plate", "Plate_ID", "Metadata_Plate", "batch"])
def test_plates_that_are_not_left_out_are_pointed_at(name):
    assert f"--across {name}" in plate_hint(shifted(name=name).samples, PLAIN)


def test_nothing_is_pointed_at_without_plates_or_where_they_are_left_out():
    assert plate_hint(shifted(name="colour").samples, PLAIN) == ""
    assert plate_hint(shifted(n_plates=1).samples, PLAIN) == ""
    assert plate_hint(shifted().samples, across_design(PLAIN, "plate")) == ""
    assert plate_hint(shifted().samples, replace(PLAIN, groups="plate")) == ""
    assert plate_hint(shifted(name="Metadata_Plate").samples, replace(PLAIN, groups="plate")) == ""
    whole = shifted().with_groups("plate").samples
    assert plate_hint(whole, PLAIN) == ""
    assert plate_hint(whole, replace(PLAIN, groups="none")) != ""
