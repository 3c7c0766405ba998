"""Logistic regression: the optimum that scikit-learn's own pipeline finds."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cellfeat.errors import HeadError
from cellfeat.heads.linear_models import logreg
from cellfeat.heads.linear_models.logreg import LogisticRegressionHead


@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize("class_weight", ["balanced", None])
def test_probabilities_equal_those_of_a_scikit_learn_pipeline(n_classes: int, class_weight: str | None) -> None:
    rng = np.random.default_rng(0)
    y = np.minimum(np.arange(300) % 7, n_classes - 1)
    X = (50 + 3 * rng.standard_normal((300, 20)) + y[:, None] * rng.random(20)).astype(np.float32)
    head = LogisticRegressionHead(C=0.05, class_weight=class_weight).fit(X, y)
    regression = LogisticRegression(C=0.05, class_weight=class_weight, tol=1e-8, max_iter=5000)
    reference = make_pipeline(StandardScaler(), regression).fit(X.astype(np.float64), y)
    np.testing.assert_allclose(head.predict_proba(X), reference.predict_proba(X), atol=2e-3)
    assert head.coef_.shape == (n_classes, 20)


def test_values_of_c_fitted_together_find_what_each_finds_alone() -> None:
    rng = np.random.default_rng(0)
    y = np.array(["a", "b", "c"])[np.arange(600) % 3]
    X = (rng.standard_normal((600, 30)) + (np.arange(600) % 3)[:, None] * rng.random(30)).astype(np.float32)
    values = [0.0003, 0.01, 1.0]
    head = LogisticRegressionHead(class_weight=None)
    heads = head.fit_together(X.copy(), y, [{"C": C} for C in values])
    together = head.predict_together(heads, X)
    assert together.shape == (3, 600, 3)
    for C, one, probabilities in zip(values, heads, together, strict=True):
        assert (one.C, one.class_weight) == (C, None)
        alone = LogisticRegressionHead(C, class_weight=None).fit(X, y)
        np.testing.assert_allclose(probabilities, alone.predict_proba(X), atol=1e-2)
        np.testing.assert_allclose(one.predict_proba(X), probabilities, atol=1e-5)


def test_many_classes_and_values_of_c_are_fitted_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cellfeat.heads.linear_models.logreg.WEIGHT_COLUMNS", 5)
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((200, 10)).astype(np.float32), np.arange(200) % 4
    heads = LogisticRegressionHead().fit_together(X, y, [{"C": C} for C in (0.001, 0.01, 0.1)])
    norms = [np.linalg.norm(head.coef_) for head in heads]
    assert norms == sorted(norms)


def test_together_refuses_what_alone_would_refuse() -> None:
    X, y = np.zeros((20, 3), np.float32), np.arange(20) % 2
    with pytest.raises(HeadError, match="C"):
        LogisticRegressionHead().fit_together(X, y, [{"C": 0.1}, {"C": -1}])
    X[0, 0] = np.nan
    with pytest.raises(HeadError, match="NaN"):
        LogisticRegressionHead().fit_together(X, y, [{"C": 0.1}, {"C": 0.2}])


def test_weights_of_all_classes_sum_to_zero() -> None:
    """The solver computes the last class from the others: no class may be special in the result."""
    rng = np.random.default_rng(0)
    y = np.arange(400) % 4
    X = (rng.standard_normal((400, 50)) + y[:, None] * rng.random(50)).astype(np.float32)
    head, renamed = LogisticRegressionHead().fit(X, y), LogisticRegressionHead().fit(X, 3 - y)
    np.testing.assert_allclose(head.coef_.sum(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(head.predict_proba(X), renamed.predict_proba(X)[:, ::-1], atol=1e-3)


def test_huge_finite_numbers_are_no_infinity() -> None:
    """The sum of a row is beyond float32, its numbers are not."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = ((y[:, None] + 0.1 * rng.random((60, 4))) * 1e38).astype(np.float32)
    with np.errstate(over="ignore"):
        assert np.isinf(X.sum(axis=1)).any()
    assert (LogisticRegressionHead().fit(X, y).predict(X) == y).all()


@pytest.mark.parametrize("screening", [False, True])
def test_fits_for_comparison_score_as_fits_alone(screening: bool) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(1200) % 4
    X = (rng.standard_normal((1200, 60)) + 0.8 * rng.standard_normal((4, 60))[y]).astype(np.float32)
    values = [0.0003, 0.01, 0.3]
    heads = LogisticRegressionHead().fit_together(
        X[:600].copy(), y[:600], [{"C": C} for C in values], screening=screening
    )
    predicted = LogisticRegressionHead.predict_together(heads[0], heads, X[600:]).argmax(axis=2)
    for C, some, of_c in zip(values, heads, predicted, strict=True):
        alone = LogisticRegressionHead(C).fit(X[:600], y[:600])
        assert some.n_iter_ <= alone.n_iter_
        assert (of_c == alone.predict(X[600:])).mean() > 0.98


def test_automatic_value_among_the_others_is_solved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(600) % 3
    X = (rng.standard_normal((600, 30)) + 4 * rng.random((3, 30))[y]).astype(np.float32)
    n_problems = []
    solve = logreg.solve
    monkeypatch.setattr(
        logreg, "solve", lambda *given, **named: n_problems.append(len(given[2])) or solve(*given, **named)
    )
    heads = LogisticRegressionHead().fit_together(X, y, [{}, {"C": 0.003}, {"C": 0.01}, {"C": 0.03}])
    assert n_problems == [3]
    assert heads[0].C_ in {head.C_ for head in heads[1:]}
