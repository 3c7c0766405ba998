"""The baseline head."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from cellfeat.errors import HeadError
from cellfeat.heads.baselines.dummy import DummyHead

X, Y = np.zeros((10, 2), np.float32), np.array(["a"] * 6 + ["b"] * 3 + ["c"])


@pytest.mark.parametrize(("strategy", "shares"), [("prior", [0.6, 0.3, 0.1]), ("uniform", [1 / 3] * 3)])
def test_probabilities_are_those_of_the_strategy(strategy: str, shares: list[float]) -> None:
    head = DummyHead(strategy).fit(X, Y)
    np.testing.assert_allclose(head.predict_proba(X), [shares] * 10)
    assert balanced_accuracy_score(Y, head.predict(X)) == pytest.approx(1 / 3)


def test_unknown_strategy_is_refused() -> None:
    with pytest.raises(HeadError, match="strategy: expected 'prior' or 'uniform', got 'stratified'"):
        DummyHead("stratified").fit(X, Y)
