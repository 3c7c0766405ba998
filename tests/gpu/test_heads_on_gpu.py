"""Heads that train on a GPU give about the scores that they give on the CPU."""

import inspect

import numpy as np
import pytest
import torch
from sklearn.datasets import make_classification

from cellfeat.heads.registry import HEADS, head_class

pytestmark = pytest.mark.gpu

MOST_DIFFERENCE = 0.05
"""Dropout and the order of samples differ between devices, so the scores differ by noise."""


def heads_with_device() -> list[str]:
    return [name for name in HEADS if "device" in inspect.signature(head_class(name)).parameters]


@pytest.mark.parametrize("name", heads_with_device())
def test_head_on_the_gpu_scores_as_on_the_cpu(gpu: torch.device, name: str) -> None:
    X, y = make_classification(900, 32, n_informative=12, n_classes=4, class_sep=2.0, random_state=0)
    X = X.astype(np.float32)
    scores = {
        device: head_class(name)(device=device, random_state=0).fit(X[:600], y[:600]).score(X[600:], y[600:])
        for device in ("cpu", str(gpu))
    }
    assert min(scores.values()) > 0.5
    assert abs(scores["cpu"] - scores[str(gpu)]) <= MOST_DIFFERENCE


def test_saved_state_of_a_head_from_the_gpu_predicts_on_the_cpu(gpu: torch.device) -> None:
    X, y = make_classification(300, 16, n_informative=8, random_state=0)
    X, make = X.astype(np.float32), head_class("mlp")
    fitted = make(device=str(gpu), random_state=0).fit(X, y)
    restored = make(device="cpu")
    restored.set_state(fitted.get_state())
    np.testing.assert_allclose(restored.predict_proba(X), fitted.predict_proba(X), atol=1e-4)
