from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from cellfeat.errors import ConfigError, HeadError, UnknownNameError
from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.cross_validation.hooks import Hooks
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.results.head_results import HeadFailure
from cellfeat.heads.registry import HEADS
from cellfeat.statistics.scores import balanced_accuracy
from tests.feature_fixtures import SMALL, with_samples

QUICK = {"mlp": {"epochs": 2, "hidden": 8}, "linear_relu": {"epochs": 2}, "lightgbm": {"n_estimators": 3, "n_jobs": 1}}


@pytest.mark.parametrize("head", HEADS)
def test_every_head_predicts_every_sample_once(make_clusters, head):
    features = make_clusters()
    comparison = compare(features, [head], design=SMALL, settings={head: QUICK.get(head, {})})
    predictions = comparison.best.predictions
    assert predictions["sample_id"].tolist() == features.samples.ids.tolist()
    assert sorted(predictions["fold"].unique()) == [1, 2, 3]
    probabilities = predictions[["probability_a", "probability_b", "probability_c"]].to_numpy()
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (predictions["predicted"] == np.array(["a", "b", "c"])[probabilities.argmax(axis=1)]).all()
    assert comparison.best.balanced_accuracy == balanced_accuracy(
        predictions["label"], predictions["predicted"], comparison.classes
    )


def test_heads_are_ranked(make_clusters):
    comparison = compare(make_clusters(separation=0.7), ["dummy", "logreg", "knn"], design=Design(folds=3))
    scores = [result.balanced_accuracy for result in comparison.results]
    assert scores == sorted(scores, reverse=True)
    assert comparison.results[-1].head == "dummy"
    assert len(comparison.verdicts()) == 3
    assert all(pair.is_evidence for pair in comparison.differences if pair.worse == "dummy")


def test_equal_heads_do_not_differ(make_clusters, monkeypatch):
    monkeypatch.setitem(HEADS._entries, "twin", replace(HEADS["logreg"], name="twin"))
    (pair,) = compare(make_clusters(), ["logreg", "twin"], design=SMALL).differences
    assert not pair.is_evidence
    assert (pair.difference.estimate, pair.difference.low, pair.difference.high) == (0, 0, 0)


@pytest.mark.slow
def test_seed_decides_all_and_global_generators_are_untouched(make_clusters):
    np.random.seed(7)
    torch.manual_seed(7)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    settings = {"mlp": QUICK["mlp"]}
    first, second = (compare(make_clusters(), ["mlp", "logreg"], design=SMALL, settings=settings) for _ in range(2))
    assert (np.random.get_state()[1] == before[0]).all()
    assert torch.equal(torch.get_rng_state(), before[1])
    pd.testing.assert_frame_equal(first.predictions(), second.predictions())
    assert first.differences == second.differences
    other = compare(make_clusters(), ["mlp"], design=replace(SMALL, random_state=1), settings=settings)
    assert not other.best.predictions["fold"].equals(first.best.predictions["fold"])


@pytest.mark.parametrize("error", [ValueError, RuntimeError, MemoryError, FloatingPointError, np.linalg.LinAlgError])
def test_failed_head_does_not_lose_the_others(make_clusters, failing_head, error):
    failing_head(error)
    comparison = compare(make_clusters(), ["failing", "dummy"], design=SMALL)
    assert [result.head for result in comparison.results] == ["dummy"]
    assert comparison.failures == (
        HeadFailure("failing", f"failing failed in fold 1 of 3: {error.__name__}: singular matrix"),
    )


def test_bug_in_a_head_is_raised(make_clusters, failing_head):
    failing_head(TypeError)
    with pytest.raises(TypeError):
        compare(make_clusters(), ["failing", "dummy"], design=SMALL)


def test_ctrl_c_keeps_finished_heads(make_clusters, failing_head):
    failing_head(KeyboardInterrupt)
    comparison = compare(make_clusters(), ["dummy", "failing", "knn"], design=SMALL)
    assert not comparison.is_complete
    assert [result.head for result in comparison.results] == ["dummy"]
    assert [failure.head for failure in comparison.failures] == ["failing", "knn"]


def test_hooks_receive_folds_and_outcomes_in_order(make_clusters):
    told = []
    hooks = Hooks(progress=lambda *event: told.append(event), outcome=lambda outcome: told.append(outcome.head))
    compare(make_clusters(), ["dummy", "knn"], design=SMALL, hooks=hooks)
    assert told == [
        ("dummy", 1, 0, 6), ("dummy", 2, 1, 6), ("dummy", 3, 2, 6), "dummy",
        ("knn", 1, 3, 6), ("knn", 2, 4, 6), ("knn", 3, 5, 6), "knn",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("heads", "options", "error", "noun"),
    [
        (["logrge"], {}, UnknownNameError, "'logreg'"),
        ([], {}, ConfigError, "none"),
        (["knn", "knn"], {}, ConfigError, "knn, knn"),
        (["knn"], {"settings": {"logreg": {"D": 1}, "mpl": {}}}, UnknownNameError, "'mlp'"),
        (["logreg"], {"settings": {"logreg": {"CC": 1}}}, HeadError, "CC"),
        (["knn"], {"design": Design(groups="plate")}, UnknownNameError, "'plate'"),
    ],
)
def test_misspelt_names_are_refused_before_any_fit(make_clusters, heads, options, error, noun):
    with pytest.raises(error, match=noun):
        compare(make_clusters(), heads, **options, hooks=Hooks(progress=lambda *_: pytest.fail("a head was fitted")))


def test_shuffled_labels_give_chance(make_clusters):
    features = make_clusters(n=300, separation=3)
    shuffled = np.random.default_rng(0).permutation(features.samples.labels)
    low, high = compare(with_samples(features, labels=shuffled), ["logreg"], design=SMALL).best.scores.overall.interval
    assert low <= 1 / 3 <= high
    assert compare(features, ["logreg"], design=SMALL).best.balanced_accuracy > 0.9


def test_copies_inflate_scores_that_ignore_groups(make_features):
    """Noise with shuffled labels, each image three times: a head that sees a copy in training knows the answer."""
    rng = np.random.default_rng(0)
    original = np.tile(np.arange(150), 3)
    features = make_features(
        np.tile(rng.permutation(np.repeat(["a", "b", "c"], 50)), 3),
        rng.normal(size=(150, 1, 8))[original],
        pixel_digest=np.array([f"pixels{i}" for i in original]),
    )
    honest, inflated = (
        compare(features, ["knn"], design=Design(folds=5, draws=500, groups=groups)) for groups in ("auto", "none")
    )
    assert honest.counts.n_copies == inflated.counts.n_copies == 300
    assert honest.counts.n_groups == 150
    low, high = honest.best.scores.overall.interval
    assert low <= 1 / 3 <= high
    assert inflated.best.balanced_accuracy > 0.9
