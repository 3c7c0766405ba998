import dataclasses
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch

from cellfeat.errors import ConfigError, HeadError, ManifestError, SplitError, UnknownNameError
from cellfeat.evaluation.compare import compare, iter_results
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.fit import fit
from cellfeat.evaluation.hooks import Hooks
from cellfeat.evaluation.results import HeadFailure
from cellfeat.evaluation.task import prepare
from cellfeat.heads.registry import HEADS
from cellfeat.statistics.scores import balanced_accuracy
from tests.feature_fixtures import with_samples

QUICK = {"mlp": {"epochs": 2, "hidden": 8}, "linear_relu": {"epochs": 2}, "lightgbm": {"n_estimators": 3, "n_jobs": 1}}
FEW_DRAWS = {"folds": 3, "draws": 200}


@pytest.mark.parametrize("head", HEADS)
def test_every_head_is_evaluated_on_every_sample_once(make_clusters, head):
    features = make_clusters()
    comparison = compare(features, [head], design=Design(**FEW_DRAWS), settings={head: QUICK.get(head, {})})
    predictions = comparison.best.predictions
    assert predictions["sample_id"].tolist() == features.samples.ids.tolist()
    assert sorted(predictions["fold"].unique()) == [1, 2, 3]
    probabilities = predictions[["probability_a", "probability_b", "probability_c"]].to_numpy()
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (predictions["predicted"] == np.array(["a", "b", "c"])[probabilities.argmax(axis=1)]).all()
    assert comparison.best.balanced_accuracy == balanced_accuracy(
        predictions["label"], predictions["predicted"], comparison.classes
    )


def test_heads_are_ranked_and_the_verdict_says_which_is_better(make_clusters):
    comparison = compare(make_clusters(separation=0.7), ["dummy", "logreg", "knn"], design=Design(folds=3))
    scores = [result.balanced_accuracy for result in comparison.results]
    assert scores == sorted(scores, reverse=True)
    assert comparison.results[-1].head == "dummy"
    assert len(comparison.verdicts()) == 3
    against_floor = [pair for pair in comparison.differences if pair.worse == "dummy"]
    assert all(pair.is_evidence for pair in against_floor)
    assert against_floor[0].verdict().startswith(f"{comparison.best.head} is better than dummy by 0.")


def test_equal_heads_do_not_differ(make_clusters, monkeypatch):
    monkeypatch.setitem(HEADS._entries, "twin", dataclasses.replace(HEADS["logreg"], name="twin"))
    comparison = compare(make_clusters(), ["logreg", "twin"], design=Design(**FEW_DRAWS))
    assert comparison.verdicts() == ["no evidence that logreg and twin differ: 0.000 [0.000, 0.000]"]


def test_a_difference_that_only_stands_alone_says_so(make_clusters):
    comparison = compare(make_clusters(), ["logreg", "dummy"], design=Design(**FEW_DRAWS))
    pair = dataclasses.replace(comparison.differences[0], adjusted_p=0.12)
    assert pair.verdict().startswith("no evidence that logreg and dummy differ")
    assert pair.verdict().endswith("(p = 0.12 over all pairs)")


def test_the_same_seed_gives_the_same_results_and_leaves_global_generators_alone(make_clusters):
    np.random.seed(7)
    torch.manual_seed(7)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    settings = {"mlp": QUICK["mlp"]}
    first, second = (
        compare(make_clusters(), ["mlp", "logreg"], design=Design(**FEW_DRAWS), settings=settings) for _ in range(2)
    )
    assert (np.random.get_state()[1] == before[0]).all()
    assert torch.equal(torch.get_rng_state(), before[1])
    pd.testing.assert_frame_equal(first.predictions(), second.predictions())
    assert first.differences == second.differences
    other = compare(make_clusters(), ["mlp"], design=Design(random_state=1, **FEW_DRAWS), settings=settings)
    assert not other.best.predictions["fold"].equals(first.best.predictions["fold"])


def test_unlabelled_and_failed_samples_are_left_out_and_counted(make_clusters):
    features = make_clusters()
    label, status = features.samples.labels.copy(), features.samples.status.copy()
    label[:4], status[10:13] = "", 1
    features.embeddings[10:13] = np.nan
    features = with_samples(features, labels=label, status=status)
    comparison = compare(features, ["logreg"], design=Design(**FEW_DRAWS))
    counts = comparison.counts
    assert (counts.n_samples, counts.n_unlabelled, counts.n_failed) == (173, 4, 3)
    assert not {"s0", "s11"} & set(comparison.predictions()["sample_id"])


def test_given_labels_take_the_place_of_those_in_the_file(make_clusters):
    features = make_clusters()
    labels = {
        sample_id: label.upper() for sample_id, label in zip(features.samples.ids, features.samples.labels, strict=True)
    }
    del labels["s0"]
    comparison = compare(features, ["dummy"], design=Design(**FEW_DRAWS), labels=labels)
    assert comparison.classes == ("A", "B", "C")
    assert comparison.counts.n_unlabelled == 1


def test_labels_of_unknown_samples_are_refused(make_clusters):
    with pytest.raises(ManifestError, match="it lacks: nobody"):
        compare(make_clusters(), ["dummy"], labels={"nobody": "a"})


def test_without_any_label_there_is_nothing_to_compare(make_clusters):
    features = make_clusters()
    with pytest.raises(SplitError, match="0 of 180 are labelled"):
        compare(with_samples(features, labels=np.full(180, "")), ["dummy"])


@pytest.mark.parametrize("evaluate", [partial(compare, heads=["dummy"]), partial(fit, head="dummy")])
def test_what_is_strange_about_the_groups_of_the_samples_used_is_said(make_clusters, evaluate):
    features = make_clusters()
    plate = np.array([f"p{i % 40}" for i in range(180)])
    plate[:12], features.samples.labels[:2] = "", ""
    told = []
    evaluate(with_samples(features, columns={"plate": plate}), groups="plate", say=told.append, **FEW_DRAWS)
    assert told == ["groups: 10 of 178 samples have no plate: each is a group of its own, with its copies"]


@pytest.mark.parametrize("error", [ValueError, RuntimeError, MemoryError, FloatingPointError, np.linalg.LinAlgError])
def test_a_head_that_fails_does_not_lose_the_others(make_clusters, failing_head, error):
    failing_head(error)
    comparison = compare(make_clusters(), ["failing", "dummy"], design=Design(**FEW_DRAWS))
    assert [result.head for result in comparison.results] == ["dummy"]
    assert comparison.failures == (
        HeadFailure("failing", f"failing failed in fold 1 of 3: {error.__name__}: singular matrix"),
    )


def test_a_bug_in_a_head_is_not_taken_for_a_failure(make_clusters, failing_head):
    failing_head(TypeError)
    with pytest.raises(TypeError):
        compare(make_clusters(), ["failing", "dummy"], design=Design(**FEW_DRAWS))


def test_when_all_heads_fail_the_reasons_are_raised(make_clusters, failing_head):
    failing_head(ValueError)
    with pytest.raises(HeadError, match=r"no head could be evaluated: .*singular matrix"):
        compare(make_clusters(), ["failing"], design=Design(**FEW_DRAWS))


def test_an_interrupt_keeps_the_heads_that_are_finished(make_clusters, failing_head):
    failing_head(KeyboardInterrupt)
    comparison = compare(make_clusters(), ["dummy", "failing", "knn"], design=Design(**FEW_DRAWS))
    assert not comparison.is_complete
    assert [result.head for result in comparison.results] == ["dummy"]
    assert [failure.head for failure in comparison.failures] == ["failing", "knn"]


def test_an_interrupt_before_any_head_is_finished_goes_through(make_clusters, failing_head):
    failing_head(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        compare(make_clusters(), ["failing", "dummy"], design=Design(**FEW_DRAWS))


def test_results_come_one_by_one(make_clusters):
    task = prepare(make_clusters(), Design(folds=3, draws=100))
    told = []
    results = iter_results(task, ["dummy", "knn"], {}, progress=lambda *event: told.append(event))
    assert next(results).head == "dummy"
    assert told == [("dummy", 1, 0, 6), ("dummy", 2, 1, 6), ("dummy", 3, 2, 6)]
    assert next(results).head == "knn"
    assert told[-1] == ("knn", 3, 5, 6)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"heads": ["logrge"]}, UnknownNameError, "did you mean 'logreg'"),
        ({"heads": []}, ConfigError, "got none"),
        ({"heads": ["knn", "knn"]}, ConfigError, "each name once"),
        ({"heads": ["knn"], "settings": {"logreg": {"D": 1}, "mpl": {}}}, UnknownNameError, "did you mean 'mlp'"),
        ({"heads": ["logreg"], "settings": {"logreg": {"CC": 1}}}, HeadError, "CC"),
        ({"heads": ["knn"], "groups": "plate"}, UnknownNameError, "no column is named 'plate'"),
    ],
)
def test_misspelt_words_are_found_before_anything_is_fitted(make_clusters, arguments, error, message):
    with pytest.raises(error, match=message):
        compare(
            make_clusters(),
            design=Design(**arguments),
            hooks=Hooks(progress=lambda *_: pytest.fail("a head was fitted")),
        )


def test_shuffled_labels_give_chance(make_clusters):
    features = make_clusters(n=300, separation=3)
    shuffled = np.random.default_rng(0).permutation(features.samples.labels)
    score = compare(with_samples(features, labels=shuffled), ["logreg"], design=Design(folds=3)).best.record()
    assert score["ci_low"] <= 1 / 3 <= score["ci_high"]
    assert compare(features, ["logreg"], design=Design(folds=3)).best.balanced_accuracy > 0.9


def test_copies_under_other_ids_inflate_only_scores_that_ignore_groups(make_features):
    """Noise with shuffled labels, each image three times: whoever sees a copy in training knows the answer."""
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
    assert honest.best.record()["ci_low"] <= 1 / 3 <= honest.best.record()["ci_high"]
    assert inflated.best.balanced_accuracy > 0.9
