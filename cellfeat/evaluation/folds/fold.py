"""One fold: its training and test part, and what a head predicts for the test part."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellfeat.types import Integers


@dataclass(frozen=True)
class Fold:
    """Row numbers of the training and the test part of one fold, ascending.

    Attributes
    ----------
    train, test
        Shape ``(n_train,)`` and ``(n_test,)``.
    name
        What its test part is, such as the name of a plate; empty for folds that are drawn.
    """

    train: Integers
    test: Integers
    name: str = ""


def rows_outside(test: Integers, n_samples: int) -> Integers:
    """List the rows that are not in the test part of a fold, ascending.

    Parameters
    ----------
    test
        Rows of the test part, shape ``(n_test,)``.
    n_samples
        Number of all rows.

    Returns
    -------
    ndarray of shape (n_samples - n_test,)
    """
    is_outside = np.ones(n_samples, dtype=bool)
    is_outside[test] = False
    return np.flatnonzero(is_outside)


class FoldOutcome(NamedTuple):
    """What a head predicts for the test part of a fold, and the seconds it took.

    Attributes
    ----------
    probabilities
        Shape ``(n_test, n_classes)``, columns in the order of the task's classes.
    fit_seconds, predict_seconds
        Wall-clock time, measured when it was computed.
    chosen
        Settings that the head chose itself, by name; None where it chose none.
    """

    probabilities: NDArray[np.float64]
    fit_seconds: float
    predict_seconds: float
    chosen: Mapping[str, Any] | None = None
