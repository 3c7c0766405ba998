"""The penalty that logistic regression chooses: weak where classes part well, strong where they hardly do."""

import numpy as np
import pytest

from cellfeat.errors import HeadError
from cellfeat.heads.chosen import Chosen
from cellfeat.heads.linear_models.logreg import LogisticRegressionHead
from cellfeat.heads.linear_models.penalty_choice import VALUES


def embeddings(n_samples, distance, seed=0, n_columns=200, n_classes=4):
    """Generated rows around class means at some distance, and their classes."""
    rng = np.random.default_rng(seed)
    y = np.arange(n_samples) % n_classes
    means = distance * rng.standard_normal((n_classes, n_columns)) / np.sqrt(n_columns)
    return (means[y] + rng.standard_normal((n_samples, n_columns))).astype(np.float32), y


@pytest.mark.parametrize(("distance", "penalty"), [(0.5, VALUES[0]), (8.0, VALUES[-1])])
def test_penalty_follows_how_well_classes_part(distance, penalty):
    X, y = embeddings(600, distance)
    head = LogisticRegressionHead().fit(X, y)
    np.testing.assert_equal(head.C_, penalty)
    assert head.chosen_ == {"C": Chosen(penalty, VALUES)}


def test_chosen_penalty_depends_neither_on_order_nor_on_scale():
    X, y = embeddings(600, 3.0)
    order = np.random.default_rng(1).permutation(len(y))
    first, other = LogisticRegressionHead().fit(X, y), LogisticRegressionHead().fit(100 * X[order], y[order])
    assert first.C_ == other.C_
    np.testing.assert_allclose(first.predict_proba(X), other.predict_proba(100 * X), atol=5e-3)


@pytest.mark.parametrize("C", VALUES)
def test_fit_from_the_held_in_solution_finds_the_minimum_of_a_fit_from_zero(C, monkeypatch):
    X, y = embeddings(600, 3.0)
    monkeypatch.setattr("cellfeat.heads.linear_models.penalty_choice.VALUES", (C,))
    chosen, given = LogisticRegressionHead().fit(X, y), LogisticRegressionHead(C).fit(X, y)
    assert chosen.C_ == given.C_ == C
    np.testing.assert_allclose(chosen.predict_proba(X), given.predict_proba(X), atol=5e-3)


def test_few_rows_take_the_strongest_penalty():
    X, y = embeddings(40, 8.0)
    head = LogisticRegressionHead().fit(X, y)
    assert min(VALUES) == head.C_
    assert head.chosen_ == {"C": Chosen(min(VALUES), ())}


def test_classes_of_one_sample_leave_nothing_to_choose_on():
    X, _ = embeddings(80, 8.0)
    head = LogisticRegressionHead().fit(X, np.arange(80))
    assert head.chosen_ == {"C": Chosen(min(VALUES), ())}


def test_given_penalty_is_not_called_chosen():
    X, y = embeddings(60, 8.0)
    head = LogisticRegressionHead().fit(X, y)
    assert head.set_params(C=0.1).fit(X, y).chosen_ == {}


def test_rare_class_takes_part():
    X, y = embeddings(300, 4.0)
    y[5:], y[4] = y[5:] % 2, 3
    assert LogisticRegressionHead().fit(X, y).predict_proba(X).shape == (300, 4)


def test_automatic_and_given_penalties_are_fitted_together():
    X, y = embeddings(600, 8.0)
    heads = LogisticRegressionHead().fit_together(X.copy(), y, [{}, {"C": 0.1}])
    assert [head.C_ for head in heads] == [VALUES[-1], 0.1]


def test_other_words_are_refused():
    X, y = embeddings(60, 1.0)
    with pytest.raises(HeadError, match=r"C.*auto.*best"):
        LogisticRegressionHead("best").fit(X, y)
