"""Few samples of many classes."""

import warnings

import numpy as np

from cellfeat.heads.baselines.knn import KNNHead


def test_many_classes_are_no_regression() -> None:
    rows = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        KNNHead().fit(rows, [f"gene{place % 45}" for place in range(60)])
