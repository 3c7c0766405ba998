"""Candidates that are fitted together: the same choices, and no failure of one costs another its place."""

from dataclasses import replace

import pytest

from cellfeat.errors import HeadError
from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.fold_predictions.head_run import HeadRun
from cellfeat.evaluation.tuning import halving
from cellfeat.evaluation.tuning.together import Batch, batches
from cellfeat.heads.linear_models import logreg
from cellfeat.heads.linear_models.logreg import LogisticRegressionHead
from cellfeat.heads.linear_models.softmax_regression import FITTED
from tests.feature_fixtures import SMALL

TUNED = replace(SMALL, tune=8)


@pytest.fixture
def clusters(make_clusters):
    return make_clusters(n=240, separation=0.5)


def choices(features):
    return compare(features, ["logreg"], design=TUNED, jobs=1).best.scores.tuning.per_fold


def test_only_settings_that_the_head_names_share_a_batch():
    settings = [{"C": 0.1, "w": 1}, {"C": 0.2, "w": 1}, {"C": 0.2, "w": 2}, {"C": 0.3, "w": 1}]
    trials = [(0, 1.0), (1, 0.5), (2, 0.5), (3, 0.5)]
    assert batches(trials, settings.__getitem__, frozenset({"C"})) == [
        Batch(1.0, (0,)),
        Batch(0.5, (1, 3)),
        Batch(0.5, (2,)),
    ]
    assert [batch.numbers for batch in batches(trials, settings.__getitem__, frozenset())] == [(0,), (1,), (2,), (3,)]


@pytest.mark.slow
@pytest.mark.parametrize("fewest", [20, 1000])
def test_together_chooses_what_one_by_one_chooses(clusters, monkeypatch, fewest):
    monkeypatch.setattr(halving, "FEWEST_SAMPLES", fewest)
    for precision in ("RANKED", "COMPARED"):
        monkeypatch.setattr(logreg, precision, FITTED)  # settings that are equal on 240 samples may change places
    together = choices(clusters)
    monkeypatch.setattr(LogisticRegressionHead, "fitted_together", frozenset())
    alone = choices(clusters)
    assert [choice.settings for choice in together] == [choice.settings for choice in alone]
    assert [choice.score for choice in together] == pytest.approx([choice.score for choice in alone], abs=0.02)


def test_rows_are_fitted_once_for_a_batch(clusters, monkeypatch):
    calls = []
    fit = HeadRun.compute_together
    monkeypatch.setattr(
        HeadRun, "compute_together", lambda run, *given, **how: calls.append(len(given[0])) or fit(run, *given, **how)
    )
    choices(clusters)
    assert calls == [9] * 9, "a round of 8 settings and the automatic one in 3 inner folds of 3 folds"


@pytest.mark.slow
def test_only_rounds_on_a_part_of_the_samples_are_screened(clusters, monkeypatch):
    monkeypatch.setattr(halving, "FEWEST_SAMPLES", 20)
    rounds = set()
    fit = HeadRun.compute_together
    monkeypatch.setattr(
        HeadRun,
        "compute_together",
        lambda run, settings, fold, screening: (
            rounds.add((len(fold.train) < 100, screening)) or fit(run, settings, fold, screening=screening)
        ),
    )
    choices(clusters)
    assert rounds == {(True, True), (False, False)}


@pytest.mark.slow
def test_candidate_that_fails_costs_the_others_nothing(clusters, monkeypatch):
    check = LogisticRegressionHead._check_parameters

    def refuse(head):
        check(head)
        if head.C == 0.1:
            raise HeadError("C = 0.1 is refused")

    monkeypatch.setattr(LogisticRegressionHead, "_check_parameters", refuse)
    for choice in choices(clusters):
        assert choice.failures == ["C=0.1: HeadError: C = 0.1 is refused"]
        assert choice.given_score is not None
        assert choice.n_candidates == 9
