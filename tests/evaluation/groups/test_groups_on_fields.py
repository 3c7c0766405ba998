"""Samples that are cut out of fields: overlapping boxes stay together, whatever the groups, unless there are none."""

import numpy as np
import pytest

from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.groups.sample_groups import sample_groups
from cellfeat.evaluation.task.task import prepare
from cellfeat.reporting.terminal.comparison import headline
from tests.feature_fixtures import SMALL, build_clusters, regions_at, with_samples

FIELD = ["f1", "f1", "f1", "f2", "f2"]
CORNERS = [(0, 0), (0, 40), (0, 104), (0, 0), (200, 200)]  # the first two share pixels


def on_fields(make_features, **table):
    n = len(FIELD)
    features = make_features(np.full(n, "a"), np.zeros((n, 1, 1)), **table)
    return with_samples(features, regions=regions_at(FIELD, CORNERS))


@pytest.mark.parametrize("groups", ["auto", "copies", "near-copies"])
def test_overlapping_crops_are_one_group(make_features, groups):
    numbers = sample_groups(on_fields(make_features), groups)
    assert numbers[0] == numbers[1]
    assert len(set(numbers.tolist())) == 4


def test_none_separates_overlapping_crops(make_features):
    assert sample_groups(on_fields(make_features), "none").tolist() == [0, 1, 2, 3, 4]


def test_overlap_joins_groups_of_a_column_and_is_said(make_features):
    half = {"half": np.array(["left", "right", "right", "left", ""])}
    said = []
    numbers = sample_groups(on_fields(make_features, columns=half), "half", say=said.append)
    assert len(set(numbers[:4].tolist())) == 1
    assert [line for line in said if "2 samples" in line and "half" in line and "pixels" in line]


def test_nothing_is_said_where_groups_keep_overlaps_together(make_features):
    said = []
    sample_groups(on_fields(make_features, group=np.array(FIELD)), "auto", say=said.append)
    assert said == []


def spread(n=90, per_field=9):
    """Clusters on fields of nine cells in three columns: those of one column share pixels."""
    features = build_clusters(n=n, separation=0.8)
    places = [(40 * (row % 3), 200 * (row // 3 % 3)) for row in range(n)]
    field = [f"field {row // per_field}" for row in range(n)]
    return with_samples(features, regions=regions_at(field, places))


def test_folds_never_separate_overlapping_crops():
    task = prepare(spread(), Design(folds=5))
    column = np.arange(90) // 3
    for fold in task.folds:
        assert not set(column[fold.train]) & set(column[fold.test])


def test_counts_are_of_the_samples_in_use():
    features = spread()
    assert prepare(features, SMALL).counts.n_sharing_pixels == 90
    labels = {f"s{row}": "ab"[row % 2] if row % 3 == 1 else "" for row in range(90)}
    assert prepare(features, SMALL, labels=labels).counts.n_sharing_pixels == 0
    assert prepare(build_clusters(), SMALL).counts.n_sharing_pixels is None


@pytest.mark.parametrize(("groups", "words"), [("auto", "kept together"), ("none", "NOT kept together")])
def test_comparison_says_how_many_crops_share_pixels(groups, words):
    comparison = compare(spread(), ["dummy"], design=Design(folds=3, draws=100, groups=groups))
    assert comparison.record()["counts"]["n_sharing_pixels"] == 90
    assert "90 crops" in headline(comparison)
    assert words in headline(comparison)


def test_whole_images_have_no_count(comparison):
    assert "n_sharing_pixels" not in comparison.record()["counts"]
    assert "crops" not in headline(comparison)


def test_left_out_groups_keep_their_names_where_crops_overlap():
    features = spread()
    plates = np.where(np.arange(90) < 45, "P1", "P2")
    said = []
    on_plates = with_samples(features, columns={"plate": plates})
    task = prepare(on_plates, Design("leave-one-out", groups="plate"), say=said.append)
    assert [fold.name for fold in task.folds] == ["P1", "P2"]
    assert not [line for line in said if "left out together" in line]
