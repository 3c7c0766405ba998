"""Logistic regression: the optimum that scikit-learn's own pipeline finds."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cellfeat.heads.logreg import LogisticRegressionHead


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
