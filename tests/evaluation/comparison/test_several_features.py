"""Heads on several features of the same samples: one set of folds, paired differences."""

import numpy as np
import pandas as pd
import pytest

from cellfeat.errors import ConfigError, ManifestError
from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.comparison.several_features import compare_features
from cellfeat.evaluation.cross_validation.hooks import Hooks
from cellfeat.evaluation.design import Design
from cellfeat.extraction.store import Features

N = 150
LABELS = np.resize(["a", "b", "c"], N)
IDS = np.array([f"cell_{n}" for n in range(N)])
THREE = Design(folds=3, draws=200)


def features(noise, *, seed=0, rows=slice(None), labels=LABELS, groups=None):
    """Samples whose three columns tell the class through some noise."""
    rng = np.random.default_rng(seed)
    X = np.eye(3)[np.resize([0, 1, 2], N)] + noise * rng.normal(size=(N, 3))
    return Features.from_arrays(
        X[rows], ids=IDS[rows], labels=labels[rows], groups=None if groups is None else groups[rows]
    )


def test_less_noise_is_better_and_each_score_is_that_of_compare():
    clear, noisy = features(0.4), features(1.5, seed=1)
    found = compare_features({"clear": clear, "noisy": noisy}, ["logreg"], design=THREE)
    assert [one.head for one in found.results] == ["logreg on clear", "logreg on noisy"]
    (pair,) = found.differences
    assert pair.is_evidence
    alone = compare(clear, ["logreg"], design=THREE)
    assert found.results[0].balanced_accuracy == alone.best.balanced_accuracy
    folds = [one.predictions.set_index("sample_id")["fold"] for one in found.results]
    pd.testing.assert_series_equal(*folds)
    assert set(found.predictions()["head"]) == {"logreg on clear", "logreg on noisy"}


def test_features_are_matched_by_ids_in_any_order():
    rows = np.random.default_rng(0).permutation(N)[:120]
    lines = []
    groups = np.repeat([f"g{n}" for n in range(N // 3)], 3)
    first = features(0.5, groups=groups)

    found = compare_features(
        {"first": first, "again": features(0.5, rows=rows, groups=groups)},
        ["logreg"],
        design=THREE,
        hooks=Hooks(say=lines.append),
    )
    one, two = found.results
    assert one.balanced_accuracy == two.balanced_accuracy
    assert found.counts.n_samples == 120
    assert found.counts.n_groups == len(set(groups[rows]))
    assert any("30 samples" in line for line in lines)


def test_labels_may_be_in_the_first_alone():
    bare = features(0.5, seed=1, labels=np.full(N, ""))
    found = compare_features({"labelled": features(0.5), "bare": bare}, ["logreg"], design=THREE)
    assert len(found.results) == 2


def test_what_cannot_be_compared_is_refused():
    one = features(0.5)
    other = Features.from_arrays(np.zeros((4, 2)), ids=list("wxyz"), labels=list("abab"))
    with pytest.raises(ManifestError, match="no sample id in common"):
        compare_features({"one": one, "other": other}, ["logreg"])
    swapped = features(0.5, labels=np.resize(["b", "a", "c"], N))
    with pytest.raises(ManifestError, match="100 samples have another label"):
        compare_features({"one": one, "swapped": swapped}, ["logreg"])
    with pytest.raises(ConfigError, match="two or more"):
        compare_features({"one": one}, ["logreg"])
